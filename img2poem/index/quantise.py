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
_TRAIN_PER_LIST = 64


@dataclass(frozen=True, slots=True)
class Plan:
    """A FAISS factory string, lists searched by default, vectors to train on (0: none)."""

    factory: str
    nprobe: int
    train: int


def faiss() -> Any:
    """The FAISS module, imported when first needed; Any, because its stubs are not complete."""
    return import_module("faiss")


def plan_for(count: int) -> Plan:
    """The kind of index for a number of verses.

    Up to 50,000: exact. Above, an inverted file with 6 bits a dimension, about a fifth of
    float32. benchmarks/index_recall.py has the figures behind the choice.
    """
    if count <= FLAT_LIMIT:
        return Plan("Flat", 0, 0)
    lists = 2 ** max(8, min(12, (count // 250).bit_length() - 1))
    return Plan(f"IVF{lists},SQ6", max(16, lists // 32), min(count, _TRAIN_PER_LIST * lists))


def new_index(plan: Plan, dim: int, sample: Floats) -> Any:
    """An empty, trained index for inner product.

    Args:
        plan: which kind.
        dim: numbers in a vector.
        sample: unit vectors to train on, float32 (n, dim); not used for Flat.
    """
    index = faiss().index_factory(dim, plan.factory, faiss().METRIC_INNER_PRODUCT)
    if plan.nprobe:
        index.cp.spherical = True
        index.cp.niter = 10
        index.train(sample)
        index.set_direct_map_type(faiss().DirectMap.Array)  # so that vectors can be read back
        index.nprobe = plan.nprobe
    return index


def exact_top_10(blocks: Iterable[Floats], queries: Floats) -> Ids:
    """The ten rows of highest inner product with each query, int64 (n, 10), unordered.

    Args:
        blocks: the rows, float32 (any, dim) each.
        queries: float32 (n, dim).
    """
    import numpy as np

    scores = np.full((len(queries), 10), -np.inf, dtype=np.float32)
    ids = np.full((len(queries), 10), -1, dtype=np.int64)
    start = 0
    for block in blocks:
        numbers = np.arange(start, start + len(block))
        start += len(block)
        scores = np.hstack([scores, queries @ block.T])
        ids = np.hstack([ids, np.broadcast_to(numbers, (len(queries), len(block)))])
        best = np.argpartition(-scores, 9, axis=1)[:, :10]
        scores, ids = np.take_along_axis(scores, best, 1), np.take_along_axis(ids, best, 1)
    return ids


def recall_at_10(index: Any, queries: Floats, exact: Ids) -> float:
    """Share of the exact ten nearest that the index's ten hold, mean over queries.

    Args:
        index: a FAISS index.
        queries: float32 (n, dim).
        exact: the true ten nearest of each, int64 (n, 10).
    """
    _, found = index.search(queries, 10)
    hits = [len(set(a) & set(b)) for a, b in zip(found.tolist(), exact.tolist(), strict=True)]
    return sum(hits) / exact.size
