"""Packed photos, their labels and captions, as arrays.

A pack is ``rows.json.gz`` (one object a photo: file, src, tags, unknown, tag_split,
cap_split, captions, mt, sents, train) and ``photos_N.bin`` + ``sizes_N.npy``: the encoded
photos of all parts in the order of the rows.
"""

from __future__ import annotations

import gzip
import io
import json
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

# A photo with the first tag may well show the others though nobody said so: then "absent"
# is not known, and neither training nor measuring counts it.
RELATED = {
    "雪山冰川": "山 雪", "悬崖": "山", "溪": "江河", "江河": "湖 溪", "湖": "江河 海",
    "沙滩": "海", "海": "湖 沙滩", "草原": "草 田野 山", "田野": "草 草原 村舍茅屋",
    "森林": "树 草", "树": "森林", "瀑布": "江河 溪 悬崖", "花": "草 园林",
    "园林": "花 树 草", "夜": "灯火", "灯火": "夜", "日出日落": "云", "雷电风暴": "云 夜",
    "街道": "城市高楼 车 人", "城市高楼": "街道", "塔寺": "宫殿", "宫殿": "塔寺 园林",
    "儿童": "人", "女子": "人", "人群": "人 街道", "霜": "雪 草", "雾": "云",
    "马": "草 草原", "牛": "草 草原", "羊": "草 草原 山", "鹿": "草 森林",
    "山": "雪山冰川", "舟船": "海 湖 江河", "桥": "江河", "月": "夜", "红叶秋叶": "树",
}  # fmt: skip
PEOPLE = {"儿童", "女子", "人群"}


def read_rows(pack: Path) -> list[dict]:
    """The rows of a pack."""
    with gzip.open(pack / "rows.json.gz", "rt", encoding="utf-8") as file:
        return json.load(file)


def open_packed(pack: Path, numbers: list[int]) -> list[Image.Image]:
    """Some photos of a pack, by their row's number, decoded."""
    places: list[tuple[Path, int, int]] = []
    for part in sorted(pack.glob("photos_*.bin")):
        sizes = np.load(part.with_name(part.name.replace("photos", "sizes").replace("bin", "npy")))
        ends = np.cumsum(sizes)
        places += [(part, end - size, size) for end, size in zip(ends, sizes, strict=True)]
    photos = []
    for part, start, size in (places[n] for n in numbers):
        with part.open("rb") as file:
            file.seek(start)
            photos.append(Image.open(io.BytesIO(file.read(size))).convert("RGB"))
    return photos


def choose_tags(rows: list[dict], at_least: int) -> list[str]:
    """Tags with at least so many training photos, sorted."""
    counts = Counter(tag for row in rows if row["train"] for tag in row["tags"])
    return sorted(tag for tag, n in counts.items() if n >= at_least)


def label_matrix(
    rows: list[dict], tags: list[str], *, related: bool = True
) -> npt.NDArray[np.float32]:
    """1 present, 0 absent, NaN not known: float32 (rows, tags).

    Without ``related``, only what the labels themselves call unknown is left out.
    """
    column = {tag: i for i, tag in enumerate(tags)}
    labels = np.zeros((len(rows), len(tags)), np.float32)
    for labelled, row in zip(labels, rows, strict=True):
        if row["tag_split"] == "none":
            labelled[:] = np.nan
            continue
        doubtful = set(row["unknown"])
        for tag in row["tags"] if related else ():
            doubtful.update(RELATED.get(tag, "").split())
        labelled[[column[t] for t in doubtful if t in column]] = np.nan
        present = set(row["tags"]) | ({"人"} if PEOPLE & set(row["tags"]) else set())
        labelled[[column[t] for t in present if t in column]] = 1
    return labels


def caption_texts(rows: list[dict]) -> list[tuple[int, int, str, list[str]]]:
    """(row, kind, text, tags named) of every caption.

    Kinds: 0 written by a person, 1 machine translated, 2 a sentence made of tags.
    """
    found = []
    for i, row in enumerate(rows):
        found += [(i, 0, text, []) for text in row["captions"]]
        found += [(i, 1, text, []) for text in row["mt"]]
        found += [(i, 2, text, named) for text, named in row["sents"]]
    return found
