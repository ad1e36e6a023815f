"""Recall, size and speed of the compressed index against Flat, on real verses.

    img2poem prepare WORKS --out data
    python benchmarks/index_recall.py data/c_data.jsonl --limit 1000000 --cache vectors.f16

Encodes the verses of a corpus file (in random order; the cache keeps what is encoded, so
that a long run can be stopped and gone on with), builds the index that build-index would
choose for so many, and searches both with queries that are in neither: the first clauses
of verses that were left out. Searches run one at a time on one thread.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from img2poem.corpus.jsonl import read_verses
from img2poem.index.quantise import (
    Exam,
    choose_nprobe,
    exact_tenth,
    faiss,
    new_index,
    plan_for,
    search_parameters,
)
from img2poem.models.registry import ModelOptions, load

QUERIES = 300
BLOCK = 65_536


def encode(texts: list[str], embedder: Any, cache: Path) -> Any:
    """Vectors of texts, float16 (len(texts), dim), from a cache file and added to it."""
    row = 2 * embedder.dim
    done = cache.stat().st_size // row if cache.exists() else 0
    with cache.open("ab") as file:
        file.truncate(done * row)
        for start in range(done, len(texts), 4096):
            batch = texts[start : start + 4096]
            file.write(embedder.encode(batch, kind="passage").astype(np.float16).tobytes())
            file.flush()
            print(f"\rencoded {start + len(batch):,} of {len(texts):,}", end="", flush=True)
    print()
    return np.memmap(cache, dtype=np.float16, mode="r", shape=(len(texts), embedder.dim))


def blocks(rows: Any) -> Any:
    """The rows as float32, some at a time."""
    return (rows[at : at + BLOCK].astype(np.float32) for at in range(0, len(rows), BLOCK))


def median_ms(search: Callable[[Any], Any], queries: Any) -> float:
    """Median time of one search, in milliseconds."""
    times = []
    for query in queries:
        begun = time.perf_counter()
        search(query[None])
        times.append(time.perf_counter() - begun)
    return 1000 * float(np.median(times))


def main() -> None:
    """Build both indexes and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--limit", type=int, default=1_000_000)
    parser.add_argument("--embedder", default="builtin")
    parser.add_argument("--cache", type=Path, required=True)
    options = parser.parse_args()
    faiss().omp_set_num_threads(1)
    embedder = load("embedder", options.embedder, ModelOptions())

    texts = [verse.text for verse in read_verses(options.corpus)]
    random.Random(0).shuffle(texts)
    left_out = [text.partition("，")[0] for text in texts[-2 * QUERIES :]]
    texts = texts[: min(options.limit, len(texts) - 2 * QUERIES)]
    rows = encode(texts, embedder, options.cache)
    queries = embedder.encode(left_out, kind="query")
    setting, judging = (
        Exam(part, exact_tenth(blocks(rows), part), rows)
        for part in (queries[:QUERIES], queries[QUERIES:])
    )

    plan = plan_for(len(rows), embedder.dim)
    sample = np.sort(np.random.default_rng(0).permutation(len(rows))[: plan.train])
    begun = time.perf_counter()
    index = new_index(plan, embedder.dim, rows[sample].astype(np.float32))
    flat = faiss().IndexFlatIP(embedder.dim)
    for block in blocks(rows):
        index.add(block)
    seconds = time.perf_counter() - begun
    nprobe = choose_nprobe(index, setting)
    for block in blocks(rows):
        flat.add(block)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "vectors.faiss")
        faiss().write_index(index, str(path))
        share = path.stat().st_size / (4 * rows.size)
        index = faiss().read_index(str(path), faiss().IO_FLAG_MMAP_IFC)
        parameters = search_parameters(index, nprobe)
        ours = median_ms(lambda query: index.search(query, 10, params=parameters), judging.queries)
        peer = median_ms(lambda query: flat.search(query, 10), judging.queries)
        print(f"verses     {len(rows):,} of dimension {embedder.dim}, embedder {embedder.name}")
        print(f"index      {plan.factory}, nprobe {nprobe}, made in {seconds:.0f} s")
        print(f"recall@10  {judging.recall(index, nprobe):.4f} against Flat")
        print(f"all lists  {judging.recall(index, plan.lists):.4f} (what compression costs)")
    print(f"size       {share:.1%} of float32")
    print(f"search     {ours:.2f} ms; Flat {peer:.2f} ms; {peer / ours:.1f} times faster")


if __name__ == "__main__":
    main()
