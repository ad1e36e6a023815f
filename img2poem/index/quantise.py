"""Which kind of FAISS index suits a corpus, and how well it finds what Flat finds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]
    Ids = npt.NDArray[np.int64]

FLAT_LIMIT = 50_000
RECALL_WANTED = 0.985  # a little above what is promised, 0.98, since it is estimated
_TRAIN_PER_LIST = 50
_MOST_SCANNED = 450_000  # vectors a search may look at: some 9 ms on one core
_TIE = 1e-6


@dataclass(frozen=True, slots=True)
class Plan:
    """A FAISS factory string, its inverted lists and vectors to train on (0: exact)."""

    factory: str
    lists: int
    train: int

    @property
    def exact(self) -> bool:
        """Whether the index keeps float32 and searches all of it."""
        return not self.lists


def faiss() -> Any:
    """The FAISS module, imported when first needed; Any, because its stubs are not complete."""
    return import_module("faiss")


def plan_for(count: int, dim: int) -> Plan:
    """The kind of index for a number of verses.

    Up to 50,000: exact. Above, an inverted file of RaBitQ codes (Gao and others, "Practical
    and asymptotically optimal quantization of high-dimensional vectors", 2024) of 7 bits a
    dimension, or 6 where vectors are so short that 7 and the numbers kept beside the codes
    come to more than a quarter of float32. Vectors are rotated at random first: the codes
    expect no dimension to say more than another, and without it a search of a million verses
    is a sixth slower and finds less. benchmarks/index_recall.py has the figures.
    """
    if count <= FLAT_LIMIT:
        return Plan("Flat", 0, 0)
    lists = 2 ** max(7, min(12, (count // 250).bit_length() - 1))
    bits = 7 if dim >= 384 else 6
    return Plan(f"RR{dim},IVF{lists},RaBitQ{bits}", lists, min(count, _TRAIN_PER_LIST * lists))


def new_index(plan: Plan, dim: int, sample: Floats) -> Any:
    """An empty, trained index for inner product.

    Args:
        plan: which kind.
        dim: numbers in a vector.
        sample: unit vectors to train on, float32 (n, dim); not used for Flat.
    """
    index = faiss().index_factory(dim, plan.factory, faiss().METRIC_INNER_PRODUCT)
    if not plan.exact:
        inverted_file(index).cp.spherical = True
        index.train(sample)
    return index


def inverted_file(index: Any) -> Any:
    """The inverted file of an index, behind its rotation if it has one."""
    return faiss().extract_index_ivf(index)


def is_exact(index: Any) -> bool:
    """Whether an index has no inverted file, and a search looks at all of it."""
    return faiss().try_extract_index_ivf(index) is None


def search_parameters(index: Any, nprobe: int, selector: Any = None) -> Any:
    """How an index is searched: lists looked into (0 where it is exact), verses allowed."""
    if not nprobe:
        return faiss().SearchParameters(sel=selector)
    parameters = faiss().SearchParametersIVF(nprobe=nprobe, sel=selector)
    if isinstance(index, faiss().IndexPreTransform):
        return faiss().SearchParametersPreTransform(index_params=parameters)
    return parameters


@dataclass(frozen=True, slots=True)
class Exam:
    """Queries and what an exact search finds for them.

    Attributes:
        queries: float32 (n, dim).
        tenth: the tenth-highest inner product of each with any row, float32 (n,).
        rows: all rows, (count, dim), of a float type.
    """

    queries: Floats
    tenth: Floats
    rows: Any

    def recall(self, index: Any, nprobe: int) -> float:
        """Recall@10: the share of the ten that the index finds which are truly as near as
        the tenth-nearest. (Verses that several poets share have equal vectors; which of
        them is found makes no difference.)"""
        import numpy as np

        _, found = index.search(self.queries, 10, params=search_parameters(index, nprobe))
        hits = 0
        for query, tenth, ids in zip(self.queries, self.tenth, found, strict=True):
            scores = self.rows[ids[ids >= 0]].astype(np.float32) @ query
            hits += int((scores >= tenth - _TIE).sum())
        return hits / int(found.size)


def choose_nprobe(index: Any, exam: Exam) -> int:
    """The fewest lists, as a power of two, that reach ``RECALL_WANTED``; never so many
    that a search looks at more than 450,000 vectors."""
    lists: int = inverted_file(index).nlist
    most: int = max(1, min(lists, _MOST_SCANNED * lists // max(1, index.ntotal)))
    nprobe: int = min(8, most)
    while nprobe < most and exam.recall(index, nprobe) < RECALL_WANTED:
        nprobe = min(2 * nprobe, most)
    return nprobe


def exact_tenth(blocks: Iterable[Floats], queries: Floats) -> Floats:
    """The tenth-highest inner product of each query with any row, float32 (n,).

    Args:
        blocks: the rows, float32 (any, dim) each; ten rows or more in all.
        queries: float32 (n, dim).
    """
    import numpy as np

    best = np.full((len(queries), 10), -np.inf, dtype=np.float32)
    for block in blocks:
        scores = np.hstack([best, queries @ block.T])
        best = np.partition(scores, -10, axis=1)[:, -10:]
    tenth: Floats = best.min(axis=1)
    return tenth
