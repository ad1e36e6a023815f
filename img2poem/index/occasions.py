"""Verses found by the very words of their occasions.

One vector stands for a verse, and a query in nearly the words of one of its occasions may
lie far from it. Characters in common find such a verse; whether it fits is for the reranker.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Ids = npt.NDArray[np.int64]
    Mask = npt.NDArray[np.bool_]

# Below this share of query and phrase in common, the words say nothing of the sense.
_LEAST = 0.25


class OccasionSearch:
    """Phrases and their verses, as arrays of characters.

    Args:
        occasions: of every verse, phrases apart by "；".
    """

    def __init__(self, occasions: Sequence[str]) -> None:
        import numpy as np

        text = "\n".join(each.replace("\n", "；") for each in occasions)
        points = np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
        lines = points == ord("\n")
        breaks = lines | (points == ord("；"))
        phrase = np.cumsum(breaks)
        self._characters = points[~breaks]
        self._phrase = phrase[~breaks]  # of each character
        starts = np.concatenate([[0], np.flatnonzero(breaks) + 1])
        self._verse = np.concatenate([[0], np.cumsum(lines)])[starts]  # of each phrase
        self._lengths = np.bincount(self._phrase, minlength=len(starts))

    def find(self, words: str, k: int, allowed: Mask | None = None) -> Ids:
        """The verses whose occasions share most with some words.

        A phrase is worth the share of the words that it has, rare characters counting for
        more, times the share of it that the words have.

        Args:
            words: the query.
            k: how many phrases to take at most.
            allowed: which verses may be found, bool (verses,); None: all.

        Returns:
            Verse numbers, int64 (k or fewer,), each once.
        """
        import numpy as np

        wanted = {ord(character) for character in words if character.isalnum()}
        shared = np.zeros(len(self._lengths), np.float32)
        weight = np.zeros(len(self._lengths), np.float32)
        whole = 0.0
        for character in wanted:
            where = self._phrase[self._characters == character]
            once = np.unique(where)
            rarity = float(np.log1p(len(self._lengths) / max(len(once), 0.5)))
            whole += rarity
            weight[once] += rarity
            np.add.at(shared, where, 1.0)
        if not whole:
            return np.empty(0, np.int64)
        worth = weight / whole * shared / np.maximum(self._lengths, 1)
        if allowed is not None:
            worth[~allowed[self._verse]] = 0.0
        best = np.argsort(-worth, kind="stable")[:k]
        best = best[worth[best] >= _LEAST]
        found: Ids = np.unique(self._verse[best]).astype(np.int64)
        return found
