"""Whether queries find the verse that was meant: first, or among the first three.

    python benchmarks/intended.py

The queries and verses of ``intended.tsv`` (our own, CC0) were written down before any model had
answered them.
"""

from __future__ import annotations

from pathlib import Path

from img2poem.pipeline.pipeline import Pipeline
from img2poem.settings import Settings


def main() -> None:
    lines = Path(__file__).with_suffix(".tsv").read_text(encoding="utf-8").splitlines()
    pipeline = Pipeline(Settings())
    first = three = 0
    for query, meant in (line.split("\t") for line in lines):
        found = [match.verse.text for match in pipeline.query(text=query, k=3).matches]
        first += found[0] == meant
        three += meant in found
        if meant not in found:
            print(f"missed: {query}: {found[0]}, not {meant}")
    print(f"{len(lines)} queries: {first} first, {three} in three")


if __name__ == "__main__":
    main()
