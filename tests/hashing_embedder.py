"""An embedder for tests: texts that share characters are near each other."""

from __future__ import annotations

import time
import zlib
from collections.abc import Sequence
from itertools import pairwise

import numpy as np


class HashingEmbedder:
    """Sums a random vector for each character and pair of characters.

    Args:
        fingerprint: what it says its weights are.
        slow: seconds it takes for each call.
        fail_after: calls after which it raises KeyboardInterrupt, as Ctrl-C does.
    """

    name = "hashing"
    dim = 32

    def __init__(self, fingerprint: str = "f1", slow: float = 0, fail_after: int = -1) -> None:
        self.fingerprint = fingerprint
        self.calls = 0
        self._slow = slow
        self._fail_after = fail_after
        self._table = np.random.default_rng(0).standard_normal((4096, self.dim), dtype=np.float32)

    def encode(self, texts: Sequence[str], *, kind: str) -> np.ndarray:
        if self.calls == self._fail_after:
            raise KeyboardInterrupt
        self.calls += 1
        time.sleep(self._slow)
        vectors = np.stack([self._table[self._places(text)].sum(0) for text in texts])
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def _places(self, text: str) -> list[int]:
        pieces = [*text, *map("".join, pairwise(text))]
        return [zlib.crc32(piece.encode()) % 4096 for piece in pieces]
