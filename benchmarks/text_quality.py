"""How well an embedder, and a reranker, find the verse that a modern sentence renders.

    python benchmarks/text_quality.py --ccpm dev.jsonl --pairs pairs_dev.jsonl --mined mined.jsonl

CCPM's rows (translation, four choices, answer) give four-way accuracy and recall in the pool
of all choices. Pairs (verse, translation) are searched both ways: the translations in a corpus
of verses, and the verses in a corpus of translations, as ``ct`` is.
``--mined`` (from training/text/mine.py) is the test the original project reported on: each
query against all queries' verses and nine mined negatives each. The reranker reads the best
``--depth`` of each pool. Speed is measured on the same texts.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import img2poem
from img2poem.corpus.verse import Verse
from img2poem.models.registry import load

Floats = npt.NDArray[np.float32]
WEIGHTS = "weights/text/*.*"
Ints = npt.NDArray[np.int64]


def read(path: Path, limit: int) -> list[dict[str, Any]]:
    """The first ``limit`` JSON lines."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines[:limit]]


def recall(scores: Floats, right: Ints) -> str:
    """recall@1/5/10 of ``right`` (n,), columns of ``scores`` (n, pool); ties count against."""
    own = np.take_along_axis(scores, right[:, None], 1)
    rank = (scores >= own).sum(1)
    return " ".join(f"{(rank <= k).mean():.3f}" for k in (1, 5, 10))


def reranked(
    reranker: Any, queries: Sequence[str], pool: Sequence[str], scores: Floats, depth: int
) -> Floats:
    """The pool's scores with the best ``depth`` of each row put in the reranker's order."""
    out = scores.copy()
    for row, query in enumerate(queries):
        best = np.argpartition(-scores[row], depth - 1)[:depth]
        again = reranker.score(query, [Verse(pool[i]) for i in best])
        # Above all others: cosines end at 1.
        out[row, best] = 2.0 + again
    return out


def ccpm(rows: list[dict[str, Any]], embedder: Any, reranker: Any, depth: int) -> None:
    """Four-way accuracy and recall in the pool of all choices."""
    queries = [row["translation"] for row in rows]
    choices = [choice for row in rows for choice in row["choices"]]
    pool = list(dict.fromkeys(choices))
    place = {text: i for i, text in enumerate(pool)}
    answers = np.array([row["answer"] for row in rows])
    scores = embedder.encode(queries, kind="query") @ embedder.encode(pool, kind="passage").T
    four = np.array([[place[choice] for choice in row["choices"]] for row in rows])
    right = four[np.arange(len(rows)), answers]
    accuracy = (np.take_along_axis(scores, four, 1).argmax(1) == answers).mean()
    print(f"CCPM, {len(rows):,} rows, pool of {len(pool):,}")
    print(f"  embedder          accuracy {accuracy:.3f}   recall@1/5/10 {recall(scores, right)}")
    if reranker is None:
        return
    read = [
        reranker.score(q, [Verse(c) for c in row["choices"]])
        for q, row in zip(queries, rows, strict=True)
    ]
    accuracy = (np.array(read).argmax(1) == answers).mean()
    again = recall(reranked(reranker, queries, pool, scores, depth), right)
    print(f"  and reranker      accuracy {accuracy:.3f}   recall@1/5/10 {again}")


def search(
    title: str,
    queries: Sequence[str],
    pool: Sequence[str],
    right: Ints,
    models: tuple[Any, Any],
    depth: int,
) -> None:
    """recall of ``right`` in a pool."""
    embedder, reranker = models
    scores = embedder.encode(queries, kind="query") @ embedder.encode(pool, kind="passage").T
    print(f"{title}, {len(queries):,} queries, pool of {len(pool):,}")
    print(f"  embedder          recall@1/5/10 {recall(scores, right)}")
    if reranker is not None:
        again = recall(reranked(reranker, queries, pool, scores, min(depth, len(pool))), right)
        print(f"  and reranker      recall@1/5/10 {again}")


RERANKINGS = 16  # the first is not counted


def median_ms(job: Any, times: int) -> float:
    """Median wall milliseconds of a job, after one run that is not counted."""
    job()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        job()
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken)


def speed(embedder: Any, reranker: Any, verses: Sequence[str], queries: Sequence[str]) -> None:
    """Verses a second, one query, and fifty candidates that were not read before."""
    seconds = median_ms(lambda: embedder.encode(verses, kind="passage"), 3) / 1000
    print(f"verses a second {len(verses) / seconds:,.0f}")
    waiting = cycle(queries)
    one = median_ms(lambda: embedder.encode([next(waiting)], kind="query"), 50)
    print(f"one query {one:.1f} ms")
    fifties = [list(map(Verse, verses[i : i + 50])) for i in range(0, len(verses) - 49, 50)]
    if reranker is not None and len(fifties) >= RERANKINGS:
        unread = iter(fifties)
        took = median_ms(lambda: reranker.score(next(waiting), next(unread)), RERANKINGS - 1)
        print(f"reranking 50 verses {took:.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ccpm", type=Path)
    parser.add_argument("--pairs", type=Path)
    parser.add_argument("--mined", type=Path)
    parser.add_argument("--embedder", default="builtin")
    parser.add_argument("--reranker", default="builtin", help="'' for none")
    parser.add_argument("--rows", type=int, default=1_000_000, help="read so many rows of each")
    parser.add_argument("--depth", type=int, default=20, help="so many reach the reranker")
    arguments = parser.parse_args()
    began = time.perf_counter()
    embedder = load("embedder", arguments.embedder)
    reranker = load("reranker", arguments.reranker) if arguments.reranker else None
    print(f"loading {1000 * (time.perf_counter() - began):.0f} ms, imports included")
    if arguments.embedder == arguments.reranker == "builtin":
        size = sum(f.stat().st_size for f in Path(img2poem.__file__).parent.glob(WEIGHTS))
        print(f"on disk {size / 1e6:.1f} MB")
    verses: list[str] = []
    queries: list[str] = []
    if arguments.ccpm:
        rows = read(arguments.ccpm, arguments.rows)
        ccpm(rows, embedder, reranker, arguments.depth)
        verses += [choice for row in rows for choice in row["choices"]]
        queries += [row["translation"] for row in rows]
    if arguments.pairs:
        rows = read(arguments.pairs, arguments.rows)
        texts, renderings = [row["verse"] for row in rows], [row["translation"] for row in rows]
        own = np.arange(len(rows))
        models = (embedder, reranker)
        search("Pairs, corpus of verses", renderings, texts, own, models, arguments.depth)
        search("Pairs, corpus of renderings", texts, renderings, own, models, arguments.depth)
        verses, queries = verses + texts, queries + renderings
    if arguments.mined:
        rows = read(arguments.mined, arguments.rows)
        pool = list(
            dict.fromkeys([r["verse"] for r in rows] + [n for r in rows for n in r["negatives"]])
        )
        right = np.array([pool.index(row["verse"]) for row in rows])
        asked = [row["query"] for row in rows]
        title = "Nine mined negatives each"
        search(title, asked, pool, right, (embedder, reranker), arguments.depth)
    if verses:
        # Another reranker: one that has read these verses answers in no time.
        again = load("reranker", arguments.reranker) if arguments.reranker else None
        speed(embedder, again, verses[:2048], queries[:64])


if __name__ == "__main__":
    main()
