"""What teachers make of the training texts: their cosines, and the texts they hold near a query."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from sources import Batch
from torch import Tensor

from data import Data, Ids

KINDS = (
    *("train_query", "train_choice", "short_query", "short_verse", "starter_verse"),
    *("starter_rendering", "occasion", "pairs_query", "pairs_verse", "same", "other"),
)


class Texts:
    """The different texts of the training data, numbered, each where it stands first."""

    def __init__(self, data: Data) -> None:
        self.places: list[tuple[str, int]] = []
        self._numbers: dict[bytes, int] = {}
        for kind in KINDS:
            for row, ids in enumerate(data[kind]):
                if self._numbers.setdefault(ids.tobytes(), len(self.places)) == len(self.places):
                    self.places.append((kind, row))

    def number(self, ids: Ids) -> int | None:
        """A text's number, None for one that the data lacks (a query made of keywords)."""
        return self._numbers.get(ids.tobytes())


class Taught:
    """What ``teach.py`` wrote, read for a trainer.

    Attributes:
        near: source to a row's near texts, for ``four_way``, ``short`` and ``occasions``; those of
            ``four_way`` are wrong, the others may well be right.
    """

    def __init__(self, path: Path, data: Data) -> None:
        with np.load(path) as file:
            self._vectors = torch.from_numpy(file["vectors"])
            near = {source: file[source] for source in file.files if source != "vectors"}
        self._texts = Texts(data)
        if len(self._vectors) != len(self._texts.places):
            raise SystemExit(f"{path} was made of other data: run teach.py again")
        self.near = {source: Near(self._texts, data, found) for source, found in near.items()}

    def cosines(self, batch: Batch) -> Tensor | None:
        """Every query with every text of a batch, the mean over teachers; None for new texts."""
        read = (*batch.queries, *batch.texts, *batch.hard, *batch.near)
        numbers = [number for ids in read if (number := self._texts.number(ids)) is not None]
        if len(numbers) < len(read):
            return None
        vectors = self._vectors[torch.tensor(numbers)].float()
        size = len(batch.queries)
        return vectors[:size] @ vectors[size:].T


class Near:
    """The near texts of each row of a source: ``near[row][place]`` is a token row."""

    def __init__(self, texts: Texts, data: Data, found: Ids) -> None:
        self._texts, self._data, self._found = texts, data, found

    def __getitem__(self, row: int) -> list[Ids]:
        places = (self._texts.places[number] for number in self._found[row])
        return [self._data[kind][place] for kind, place in places]
