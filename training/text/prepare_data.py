"""Texts to what the trainers read: a split, a vocabulary, base weights and token rows.

    python prepare_data.py --ccpm ccpm_train.jsonl --pairs pairs.jsonl \\
        --prose classical_modern.jsonl.gz --captions captions_zh.jsonl --verses c.jsonl \\
        --renderings renderings.tsv --dictionary chinese_word_dictionary.txt \\
        --works ../../data/works.json --base base.npz --pieces pieces.json --out OUT

Writes OUT/data.npz, OUT/base.npz (pruned), OUT/tokenizer.json, OUT/dev.jsonl and
OUT/pairs_dev.jsonl.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dictionary
import jieba
import jieba.posseg
import not_poetry
import numpy as np
import vocabulary
from splits import Leak, Split, plain, right_verse, split
from tokenizers import Tokenizer

from data import LONGEST, Ids, save
from img2poem.corpus.verse import Verse
from img2poem.models.builtin.text_tokens import TextTokenizer, clean

Row = dict[str, Any]
HERE = Path(__file__).parent
PROSE_ROWS = 150_000
NOT_POETRY, NOT_POETRY_REPEATS = 3_000, 4
EMPTY_WORDS = {
    "时候", "样子", "这里", "那里", "里面", "上面", "下面", "人们", "自己", "东西", "地方", "有人",
    "没有", "不能", "可以", "如今", "现在", "是", "有", "说", "来", "去", "到", "能", "要", "会",
    "使", "让", "叫", "做", "像", "看", "想",
}  # fmt: skip


def read_lines(path: Path | None) -> list[Row]:
    """JSON lines, gzipped or not; none without a path."""
    if path is None:
        return []
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    return [json.loads(line) for line in text.split("\n") if line]


def keywords(text: str) -> list[str]:
    """The content words of a modern text, each once, in order."""
    found: dict[str, None] = {}
    for word in jieba.posseg.lcut(text):
        if word.word in EMPTY_WORDS or word.flag in ("vshi", "vyou"):
            continue
        if word.flag == "n" or (len(word.word) >= 2 and word.flag[0] in "nvasitz"):
            found[word.word] = None
    return list(found)


def starter_lines(path: Path, leak_verses: set[str]) -> list[Verse]:
    """The lines of the starter corpus, less those with a held-out verse in them."""
    lines = []
    for work in json.loads(path.read_text(encoding="utf-8")):
        columns = [work[key].split("\n") for key in ("Content", "Translation", "Occasions")]
        lines += [
            Verse(text, rendering, occasions=occasions)
            for text, rendering, occasions in zip(*columns, strict=True)
        ]
    leak = Leak(leak_verses)
    return [line for line in lines if not leak(line.text)]


def own_rows(
    path: Path | None, ccpm: Sequence[Row], dev: Sequence[Row], held: set[str]
) -> list[Row]:
    """Rows made of our own renderings of verses that stand as wrong choices in CCPM's rows.

    Each makes another row of the same four choices, with another of them right. Renderings of
    held-out verses, of verses that any development row offers, and of verses that are a right
    choice anywhere are left out. The file has no verses, only the start of each one's SHA-256,
    its rendering, and for some a ``short`` query that somebody might look for it with.
    """
    if path is None:
        return []
    lines = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    ours = {digest: (rendering, *short) for digest, rendering, *short in lines}
    taken = {plain(right_verse(row)) for row in ccpm}
    taken |= {plain(choice) for row in dev for choice in row["choices"]}
    leak, rows = Leak(held), []
    for row in ccpm:
        for place, choice in enumerate(row["choices"]):
            digest = hashlib.sha256(plain(choice).encode()).hexdigest()[:12]
            if digest in ours and plain(choice) not in taken and not leak(choice):
                rendering, *short = ours.pop(digest)
                rows.append(row | {"translation": rendering, "short": short, "answer": place})
    return rows


def read_paraphrases(path: Path | None) -> list[tuple[list[str], list[str]]]:
    """Phrases of one meaning, and others like them in words and not in meaning, by line."""
    lines = path.read_text(encoding="utf-8").splitlines() if path else []
    columns = ([part.split("；") for part in line.split("\t")] for line in lines)
    return [(same, other) for same, other in columns]


def prose_pairs(rows: Sequence[Row], held: set[str]) -> list[Row]:
    """Short prose pairs, in random order, less those with a held-out verse in them."""
    leak = Leak(held)
    short = [
        row
        for row in rows
        if 4 <= len(clean(row["classical"])) <= 24
        and 5 <= len(clean(row["modern"])) <= 34
        and not leak(row["classical"])
    ]
    return random.Random(4).sample(short, min(PROSE_ROWS, len(short)))


def caption_rows(rows: Sequence[Row]) -> list[list[str]]:
    """Seven captions a training photo: five that people wrote, two by machine."""
    return [row["captions"] + row["captions_mt"][:2] for row in rows if row["split"] == "train"]


def choose_vocabulary(
    arguments: argparse.Namespace,
    ccpm: list[Row],
    pairs: list[Row],
    captions: list[list[str]],
    prose: list[Row],
    verses: list[str],
) -> None:
    """Choose pieces by the training texts; writes the pruned base and the tokenizer."""
    weighted = [(clean(row["translation"]), 3.0) for row in (*ccpm, *pairs)]
    weighted += [(clean(choice), 1.0) for row in ccpm for choice in row["choices"]]
    weighted += [(clean(row["verse"]), 1.0) for row in pairs]
    weighted += [(clean(row["modern"]), 0.5) for row in prose]
    weighted += [(clean(row["classical"]), 0.2) for row in prose]
    sample = random.Random(3).sample(verses, min(150_000, len(verses)))
    weighted += [(clean(verse), 0.2) for verse in sample]
    weighted += [(clean(caption), 1.0) for photo in captions for caption in photo]
    pieces = [(piece, score) for piece, score in json.loads(arguments.pieces.read_text("utf-8"))]
    kept, new = vocabulary.choose(pieces, weighted, map(clean, verses))
    with np.load(arguments.base) as file:
        weights = {name: file[name] for name in file.files}
    weights["word.weight"] = vocabulary.rows(weights["word.weight"], pieces, kept, new)
    np.savez(arguments.out / "base.npz", **weights)
    chosen = vocabulary.vocabulary(pieces, kept, new)
    vocabulary.tokenizer_of(chosen).save(str(arguments.out / "tokenizer.json"))


class Writer:
    """Collects token rows and numbers under the names that ``data.Data`` gives them."""

    def __init__(self, tokenizer: Path) -> None:
        source = tokenizer.read_text(encoding="utf-8")
        self._tokenizer = TextTokenizer(source)
        self.comma = np.array(Tokenizer.from_str(source).encode("，").ids)
        self.texts: dict[str, Sequence[Ids]] = {}
        self.numbers: dict[str, Ids] = {"comma": self.comma}

    def put(self, name: str, texts: Sequence[str]) -> None:
        self.texts[name] = [np.array(row, int) for row in self._tokenizer.ids(texts, LONGEST)]

    def put_keywords(self, name: str, texts: Sequence[str]) -> None:
        found = [keywords(text) for text in texts]
        self.put(f"{name}_keyword", [word for words in found for word in words])
        self.numbers[f"{name}_keyword_ends"] = np.cumsum([len(words) for words in found])

    def put_ccpm(self, name: str, rows: Sequence[Row]) -> None:
        self.put(f"{name}_query", [row["translation"] for row in rows])
        self.put(f"{name}_choice", [choice for row in rows for choice in row["choices"]])
        self.numbers[f"{name}_answer"] = np.array([row["answer"] for row in rows], np.int8)

    def put_paraphrases(self, sets: Sequence[tuple[list[str], list[str]]]) -> None:
        for name, place in (("same", 0), ("other", 1)):
            self.put(name, [phrase for each in sets for phrase in each[place]])
            self.numbers[f"{name}_ends"] = np.cumsum([len(each[place]) for each in sets])


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text("".join(lines), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    files = ("--ccpm", "--prose", "--captions", "--verses", "--renderings", "--dictionary")
    for name in (*files, "--paraphrases"):
        parser.add_argument(name, type=Path)
    for name in ("--pairs", "--works", "--out"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--base", type=Path, help="to choose a vocabulary for")
    parser.add_argument("--pieces", type=Path, help="the base's vocabulary")
    parser.add_argument("--tokenizer", type=Path, help="of weights to go on from, in their place")
    parser.add_argument("--dev-rows", type=int, default=2600)
    arguments = parser.parse_args()
    if not (arguments.tokenizer or (arguments.base and arguments.pieces)):
        parser.error("give --base and --pieces, or the --tokenizer of weights to go on from")
    arguments.out.mkdir(parents=True, exist_ok=True)
    jieba.setLogLevel(60)
    ccpm, pairs = read_lines(arguments.ccpm), read_lines(arguments.pairs)
    captions = caption_rows(read_lines(arguments.captions))
    parts: Split = split(ccpm, pairs, arguments.dev_rows)
    prose = read_lines(arguments.prose)
    verses = [row["content"] for row in read_lines(arguments.verses)]
    if arguments.tokenizer:
        shutil.copy(arguments.tokenizer, arguments.out / "tokenizer.json")
    else:
        choose_vocabulary(arguments, ccpm, pairs, captions, prose, verses)
    dev, pairs_dev = [ccpm[i] for i in parts.ccpm_dev], [pairs[i] for i in parts.pairs_dev]
    held = {plain(right_verse(row)) for row in dev} | {plain(row["verse"]) for row in pairs_dev}
    starter = starter_lines(arguments.works, held)
    writer = Writer(arguments.out / "tokenizer.json")
    train = [ccpm[i] for i in parts.ccpm_train]
    train += own_rows(arguments.renderings, train, dev, held)
    asked = [(short, right_verse(row)) for row in train for short in row.get("short", ())]
    writer.put("short_query", [short for short, _ in asked])
    writer.put("short_verse", [verse for _, verse in asked])
    writer.put_ccpm("train", train)
    writer.put_ccpm("dev", dev)
    short = prose_pairs(prose, held)
    writer.put("prose_query", [row["modern"] for row in short])
    writer.put("prose_text", [row["classical"] for row in short])
    words = dictionary.read(arguments.dictionary, verses)
    writer.put("word", [word for word, _ in words])
    writer.put("meaning", [meaning for _, meaning in words])
    writer.put("pairs_query", [pairs[i]["translation"] for i in parts.pairs_train])
    writer.put("pairs_verse", [pairs[i]["verse"] for i in parts.pairs_train])
    writer.put("starter_verse", [line.text for line in starter])
    writer.put("starter_rendering", [line.translation for line in starter])
    phrases = [(i, phrase) for i, line in enumerate(starter) for phrase in line.phrases]
    writer.put("occasion", [phrase for _, phrase in phrases])
    writer.numbers["occasion_line"] = np.array([i for i, _ in phrases], np.int32)
    writer.put_paraphrases(read_paraphrases(arguments.paraphrases))
    writer.put("caption", [caption for photo in captions for caption in photo])
    writer.put_keywords("train", [row["translation"] for row in train])
    writer.put_keywords("starter", [line.translation for line in starter])
    queries = (HERE / "not_poetry_fit.txt").read_text(encoding="utf-8").splitlines()
    writer.put("not_poetry", not_poetry.queries(NOT_POETRY) + NOT_POETRY_REPEATS * queries)
    save(arguments.out / "data.npz", writer.texts, writer.numbers)
    write_rows(arguments.out / "dev.jsonl", dev)
    write_rows(arguments.out / "pairs_dev.jsonl", pairs_dev)
    for name, rows in writer.texts.items():
        print(f"{name:24}{len(rows):9,}")


if __name__ == "__main__":
    main()
