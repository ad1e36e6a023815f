"""Development rows, and training rows that share nothing with them."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

NOT_TEXT = re.compile(r"[\W]+")
Row = dict[str, Any]


def plain(text: str) -> str:
    """A text without its punctuation and spaces."""
    return NOT_TEXT.sub("", text)


def right_verse(row: Row) -> str:
    return str(row["choices"][row["answer"]])


@dataclass(frozen=True)
class Split:
    """Row numbers of CCPM's training rows and of the pairs."""

    ccpm_train: list[int]
    ccpm_dev: list[int]
    pairs_train: list[int]
    pairs_dev: list[int]


def grouped(keys: Sequence[Sequence[str]]) -> list[list[int]]:
    """Rows that share a key, directly or through others, as groups."""
    parent: dict[object, object] = {}

    def root(x: object) -> object:
        while parent.setdefault(x, x) != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        return x

    for row, names in enumerate(keys):
        for name in names:
            parent[root(name)] = root(row)
    groups: dict[object, list[int]] = defaultdict(list)
    for row in range(len(keys)):
        groups[root(row)].append(row)
    return [groups[first] for first in sorted(groups, key=str)]


def hold_out(groups: list[list[int]], wanted: int, seed: int) -> list[int]:
    """Whole groups, at random, until ``wanted`` rows are held out."""
    random.Random(seed).shuffle(groups)
    held: list[int] = []
    for rows in groups:
        if len(held) >= wanted:
            break
        held += rows
    return held


class Leak:
    """Whether a verse contains a held-out one or is a part of one, four characters or more."""

    def __init__(self, held: set[str]) -> None:
        self.held = held
        self.lengths = sorted({len(text) for text in held if len(text) >= 4})
        self.parts = {
            text[i:j]
            for text in held
            for i in range(len(text))
            for j in range(i + 4, len(text) + 1)
        }

    def __call__(self, verse: str) -> bool:
        verse = plain(verse)
        return verse in self.parts or any(
            verse[i : i + n] in self.held for n in self.lengths for i in range(len(verse) - n + 1)
        )


def split(ccpm: Sequence[Row], pairs: Sequence[Row], dev_rows: int = 2600) -> Split:
    """Hold out 2,600 CCPM rows and a tenth of the pairs, no verse or translation on both sides."""
    answers = {plain(right_verse(row)) for row in ccpm}
    ccpm_keys = [
        ["t" + plain(row["translation"])]
        + ["v" + plain(choice) for choice in row["choices"] if plain(choice) in answers]
        for row in ccpm
    ]
    pair_keys = [["v" + plain(p["verse"]), "t" + plain(p["translation"])] for p in pairs]
    ccpm_dev = hold_out(grouped(ccpm_keys), dev_rows, seed=20)
    pairs_dev = hold_out(grouped(pair_keys), len(pairs) // 10, seed=21)
    leak = Leak(
        {plain(right_verse(ccpm[i])) for i in ccpm_dev}
        | {plain(pairs[i]["verse"]) for i in pairs_dev}
    )
    said = {plain(ccpm[i]["translation"]) for i in ccpm_dev}
    said |= {plain(pairs[i]["translation"]) for i in pairs_dev}
    held_ccpm, held_pairs = set(ccpm_dev), set(pairs_dev)
    return Split(
        [
            i
            for i, row in enumerate(ccpm)
            if i not in held_ccpm
            and not leak(right_verse(row))
            and plain(row["translation"]) not in said
        ],
        ccpm_dev,
        [
            i
            for i, pair in enumerate(pairs)
            if i not in held_pairs
            and not leak(pair["verse"])
            and plain(pair["translation"]) not in said
        ],
        pairs_dev,
    )
