"""Tokenised training texts on disk, and how they are packed for the model."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from model import END, PAD, START, Packed

Ids = npt.NDArray[np.integer]
LONGEST = 80
ROW, ROWS = 64, 8


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


def pack(texts: Sequence[Ids]) -> Packed:
    """Put texts, with their marks, side by side into rows of ``ROW`` tokens, longest texts first.

    Padding every text to the longest would double the work. The number of rows is a
    multiple of ``ROWS``, so that few shapes occur: every new one costs the CPU's kernels a second.
    """
    marked = [np.concatenate([[START], text[: ROW - 2], [END]]) for text in texts]
    room: list[tuple[int, int]] = []  # tokens left and the row's number, sorted
    places: list[tuple[int, int]] = [(0, 0)] * len(marked)
    rows = 0
    for i in sorted(range(len(marked)), key=lambda i: -len(marked[i])):
        found = bisect_left(room, (len(marked[i]), -1))
        if found < len(room):
            left, row = room.pop(found)
        else:
            left, row, rows = ROW, rows, rows + 1
        places[i] = (row, ROW - left)
        insort(room, (left - len(marked[i]), row))
    rows = -(-rows // ROWS) * ROWS
    ids = np.full((rows, ROW), PAD, np.int64)
    order = np.zeros((rows, ROW), np.int64)
    owner = np.full((rows, ROW), len(marked), np.int64)
    longest = -(-max(map(len, marked)) // 4) * 4
    at = np.zeros((len(marked), longest), np.int64)
    mask = np.zeros((len(marked), longest), bool)
    for i, (text, (row, start)) in enumerate(zip(marked, places, strict=True)):
        here = slice(start, start + len(text))
        ids[row, here], order[row, here], owner[row, here] = text, np.arange(len(text)), i
        at[i, : len(text)] = row * ROW + start + np.arange(len(text))
        mask[i, : len(text)] = True
    return Packed(*map(torch.from_numpy, (ids, order, owner, at, mask)))
