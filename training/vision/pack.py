"""Labels and captions -> a pack: rows.json.gz and the photos, small, in one file a part.

    python pack.py --labels labels.jsonl --captions captions_zh.jsonl --photos FOLDER --out DIR

A row is ``train`` if neither split holds it for testing and nothing held for testing is nearly
the same picture. Photos known only by captions get tags by keyword, with doubt marked.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import random
from pathlib import Path

import numpy as np
from PIL import Image

from img2poem.corpus.imagery import lexicon

SHORT_SIDE, QUALITY, NEAR = 240, 72, 9
# What captions seldom mention even where it shows: absence is never known.
UNMENTIONED = ["晴空", "云", "树", "草", "果实", "村舍茅屋", "霜", "宫殿", "园林", "花"]
SKY = {
    "日出日落": ["夕阳下的", "傍晚的", "日落时的"], "雪": ["下过雪的", "积雪的"],
    "雨": ["雨中的", "下着雨的"], "雾": ["雾中的", "雾气笼罩的"], "夜": ["夜里的", "夜晚的"],
    "晴空": ["蓝天下的", "晴朗的"], "云": ["白云下的", "有云的"],
    "雷电风暴": ["暴风雨中的", "乌云下的"], "红叶秋叶": ["秋天的", "满是红叶的"],
}  # fmt: skip
PLACES = [
    "海", "湖", "江河", "溪", "沙滩", "山", "森林", "草原", "田野", "街道", "园林", "雪山冰川",
    "沙漠", "悬崖", "瀑布", "草", "城市高楼", "桥", "村舍茅屋",
]  # fmt: skip


def tags_of_captions(row: dict) -> tuple[list[str], list[str]]:
    """Tags that three captions or more name, and tags that may or may not be there."""
    counts: dict[str, int] = {}
    for text in row["captions"] + row["captions_mt"]:
        for tag in lexicon().find_modern(text):
            counts[tag] = counts.get(tag, 0) + 1
    sure = [tag for tag, n in counts.items() if n >= 3]
    return sure, sorted((set(counts) | set(UNMENTIONED)) - set(sure))


def sentence(tags: list[str], rng: random.Random) -> tuple[str, list[str]]:
    """A short sentence naming some of a photo's tags, and which it names."""
    chosen = rng.sample(tags, min(len(tags), rng.choice([1, 2, 2, 3, 3, 4])))
    sky = [t for t in chosen if t in SKY]
    place = [t for t in chosen if t in PLACES]
    rest = [t for t in chosen if t not in SKY and t not in PLACES]
    text = rng.choice(SKY[sky[0]]) if sky else ""
    if place and rest:
        text += place[0] + rng.choice(["边的", "里的", "上的", "旁的"]) + "和".join(rest)
    elif place or rest:
        text += "和".join(place or rest)
    else:
        text = sky[0] + rng.choice(["", "的景色", "的天空"])
    return text, chosen


def difference_hash(image: Image.Image) -> np.ndarray:
    """128 bits: is each cell brighter than its right, and its lower, neighbour?"""
    grey = image.convert("L")
    across = np.asarray(grey.resize((9, 8), Image.Resampling.BILINEAR), np.int16)
    down = np.asarray(grey.resize((8, 9), Image.Resampling.BILINEAR), np.int16)
    bits = [across[:, 1:] > across[:, :-1], down[1:] > down[:-1]]
    return np.concatenate([b.ravel() for b in bits]).astype(np.float32) * 2 - 1


def read_rows(labels: Path, captions: Path) -> list[dict]:
    """One row a photo, from either list or both."""
    labelled = {r["file"]: r for r in map(json.loads, labels.read_text("utf-8").splitlines())}
    captioned = {r["file"]: r for r in map(json.loads, captions.read_text("utf-8").splitlines())}
    rows = []
    for file in dict.fromkeys([*labelled, *captioned]):
        row: dict = {"file": file, "tags": [], "unknown": [], "tag_split": "none",
                     "cap_split": "none", "src": "flickr8k", "captions": [], "mt": []}  # fmt: skip
        if file in captioned:
            said = captioned[file]
            row |= {"cap_split": said["split"], "captions": said["captions"],
                    "mt": said["captions_mt"]}  # fmt: skip
            if file not in labelled:
                row["tags"], row["unknown"] = tags_of_captions(said)
                row["tag_split"] = "extra"
        if file in labelled:
            known = labelled[file]
            row |= {"tags": known["tags"], "unknown": known["unknown"],
                    "tag_split": known["split"], "src": known["source"]}  # fmt: skip
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--labels", "--captions", "--photos", "--out"):
        parser.add_argument(name, type=Path, required=True)
    args = parser.parse_args()
    rng = random.Random(5)
    rows = read_rows(args.labels, args.captions)
    np.random.RandomState(0).shuffle(rows)  # type: ignore[arg-type]
    blobs, hashes = [], []
    for row in rows:
        image = Image.open(args.photos / row["file"]).convert("RGB")
        hashes.append(difference_hash(image))
        if min(image.size) > SHORT_SIDE:
            scale = SHORT_SIDE / min(image.size)
            image = image.resize((round(image.width * scale), round(image.height * scale)),
                                 Image.Resampling.LANCZOS)  # fmt: skip
        buffer = io.BytesIO()
        image.save(buffer, format="WEBP", quality=QUALITY, method=2)
        blobs.append(buffer.getvalue())
    test = np.array([r["tag_split"] == "test" or r["cap_split"] == "test" for r in rows])
    bits = np.stack(hashes)
    near = ((128 - bits @ bits[test].T) / 2).min(1) <= NEAR
    for row, held in zip(rows, test | near, strict=True):
        row["train"] = not held
        own = row["tags"] if row["cap_split"] == "none" else []
        sentences = dict(sentence(own, rng) for _ in range(6)) if own else {}
        row["sents"] = [[text, named] for text, named in sentences.items()]
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "photos_1.bin").write_bytes(b"".join(blobs))
    np.save(args.out / "sizes_1.npy", np.array([len(b) for b in blobs], np.int32))
    with gzip.open(args.out / "rows.json.gz", "wt", encoding="utf-8") as file:
        json.dump(rows, file, ensure_ascii=False)


if __name__ == "__main__":
    main()
