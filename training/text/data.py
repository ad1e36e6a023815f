"""Tokenised training texts on disk, and the batches both trainers draw from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from model import END, PAD, START

Ids = npt.NDArray[np.integer]
LONGEST = 80


class Rows(Sequence[Ids]):
    """Token rows of unequal lengths in one flat array."""

    def __init__(self, flat: Ids, lengths: Ids) -> None:
        self.flat = flat.astype(np.int64)
        self.ends = np.cumsum(lengths.astype(np.int64))

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, row: int) -> Ids:  # type: ignore[override]
        if row < 0 or row >= len(self):
            raise IndexError(row)
        return self.flat[self.ends[row - 1] if row else 0 : self.ends[row]]


def save(path: Path, texts: Mapping[str, Sequence[Ids]], numbers: Mapping[str, Ids]) -> None:
    """Write token rows and plain arrays as one .npz."""
    parts: dict[str, Ids] = dict(numbers)
    for name, rows in texts.items():
        parts[name] = np.concatenate([*rows, np.empty(0, int)]).astype(np.uint16)
        parts[name + ".lengths"] = np.array([len(row) for row in rows], np.uint8)
    np.savez_compressed(path, **parts)


class Data:
    """What ``prepare_data.py`` wrote, by name; ``data["train_query"][3]`` is a token row."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        self.numbers = {n: a for n, a in arrays.items() if n + ".lengths" not in arrays}
        self.rows = {
            n: Rows(a, arrays[n + ".lengths"])
            for n, a in arrays.items()
            if n + ".lengths" in arrays
        }

    def __getitem__(self, name: str) -> Rows:
        return self.rows[name]

    def choices(self, split: str, row: int) -> tuple[Ids, list[Ids]]:
        """The right verse of a CCPM row, and the three wrong ones."""
        four = [self[f"{split}_choice"][4 * row + i] for i in range(4)]
        right = four.pop(int(self.numbers[f"{split}_answer"][row]))
        return right, four

    def keywords(self, name: str, row: int) -> list[Ids]:
        """The content words of a text, each a token row."""
        ends = self.numbers[f"{name}_keyword_ends"]
        start = int(ends[row - 1]) if row else 0
        return [self[f"{name}_keyword"][i] for i in range(start, int(ends[row]))]


class Draw:
    """Random rows: every row of a set once before any comes again."""

    def __init__(self, data: Data, seed: int) -> None:
        self.data = data
        self.random = np.random.RandomState(seed)
        self._left: dict[str, Ids] = {}
        self.with_keywords = {
            name: [i for i in range(rows) if len(data.keywords(name, i)) >= 2]
            for name, rows in (
                ("train", len(data["train_query"])),
                ("starter", len(data["starter_verse"])),
            )
        }

    def rows(self, name: str, wanted: int, size: int) -> list[int]:
        left = self._left.get(name, np.empty(0, int))
        if len(left) < wanted:
            left = np.concatenate([left, self.random.permutation(size)])
        self._left[name] = left[wanted:]
        return [int(i) for i in left[:wanted]]

    def keyword_rows(self, name: str, wanted: int) -> list[int]:
        able = self.with_keywords[name]
        return [able[i] for i in self.rows(name + "_keywords", wanted, len(able))]

    def keyword_query(self, name: str, row: int) -> Ids:
        """Two to five content words, mostly in order and with commas between: a user's query."""
        words = self.data.keywords(name, row)
        count = min(len(words), self.random.randint(2, 6))
        if self.random.rand() < 0.6:
            chosen = sorted(self.random.choice(len(words), count, replace=False))
        else:
            chosen = list(self.random.choice(len(words), count, replace=False))
        parts: list[Ids] = []
        for place, i in enumerate(chosen):
            if place and self.random.rand() < 0.85:
                parts.append(self.data.numbers["comma"])
            parts.append(words[i])
        return np.concatenate(parts)

    def two_captions(self, photo: int) -> tuple[Ids, Ids]:
        """Two of the seven captions of one photo."""
        one, other = self.random.choice(7, 2, replace=False)
        return self.data["caption"][7 * photo + one], self.data["caption"][7 * photo + other]


def padded(rows: Sequence[Ids], length: int, count: int) -> tuple[Ids, npt.NDArray[np.bool_]]:
    """Rows with their marks as (ids, mask), each (count, length); surplus rows hold one token."""
    ids = np.full((count, length), PAD, np.int64)
    mask = np.zeros((count, length), bool)
    for i, row in enumerate(rows):
        row = row[: length - 2]
        ids[i, 0] = START
        ids[i, 1 : len(row) + 1] = row
        ids[i, len(row) + 1] = END
        mask[i, : len(row) + 2] = True
    mask[len(rows) :, 0] = True
    return ids, mask
