"""Hard negatives: texts that an embedder takes for the answer and that are not.

    python mine.py --rows dev.jsonl --verses c.jsonl --out mined.jsonl

Rows are CCPM's (translation, choices, answer) or pairs (verse, translation); the verses are a
corpus that ``img2poem prepare`` wrote. Each line of the result has a query, its verse and its
negatives, for benchmarks/text_quality.py.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

import numpy as np

NOT_TEXT = re.compile(r"[\W_]+")


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """(query, verse) of rows in CCPM's format or of pairs."""
    pairs = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        verse = row["choices"][row["answer"]] if "choices" in row else row["verse"]
        pairs.append((row["translation"], verse))
    return pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=Path, nargs="+", required=True)
    parser.add_argument("--verses", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=9)
    parser.add_argument("--embedder", default="builtin")
    parser.add_argument("--limit", type=int, default=1_000_000, help="so many verses, at random")
    arguments = parser.parse_args()

    from img2poem.models.registry import load

    embedder = load("embedder", arguments.embedder)
    pairs = [pair for path in arguments.rows for pair in read_pairs(path)]
    lines = arguments.verses.read_text(encoding="utf-8").splitlines()
    verses = sorted({json.loads(line)["content"] for line in lines})
    np.random.default_rng(0).shuffle(verses)
    verses = verses[: arguments.limit]
    vectors = embedder.encode(verses, kind="passage")
    queries = embedder.encode([query for query, _ in pairs], kind="query")
    with arguments.out.open("w", encoding="utf-8") as out:
        for (query, verse), vector in zip(pairs, queries, strict=True):
            own = NOT_TEXT.sub("", verse)
            scores = vectors @ vector
            best = np.argpartition(-scores, 4 * arguments.count)[: 4 * arguments.count]
            best = best[np.argsort(-scores[best])]
            # A corpus has the verse itself, and lines that contain it.
            others = [v for v in (verses[i] for i in best) if _different(NOT_TEXT.sub("", v), own)]
            row = {"query": query, "verse": verse, "negatives": others[: arguments.count]}
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


def _different(text: str, own: str) -> bool:
    return text not in own and own not in text


if __name__ == "__main__":
    main()
