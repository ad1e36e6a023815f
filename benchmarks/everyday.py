"""What people type of their day, and the verses they get, for a reader to judge.

    python benchmarks/everyday.py [QUERIES] > answers.tsv

A line for each query of the file (by default ``everyday.txt`` beside this): the query, whether
anything was called close, and the first three verses. Whether a verse fits is not for a program
to say; training/text/RESULTS.md has what a reader said of some. The queries are our own (CC0).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from img2poem.pipeline.pipeline import Pipeline
from img2poem.settings import Settings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    default = Path(__file__).with_name("everyday.txt")
    parser.add_argument("queries", type=Path, nargs="?", default=default)
    queries = parser.parse_args().queries.read_text(encoding="utf-8").splitlines()
    pipeline = Pipeline(Settings())
    for query in filter(None, map(str.strip, queries)):
        result = pipeline.query(text=query, k=3)
        verses = (f"{m.verse.text}（{m.verse.author}《{m.verse.title}》）" for m in result.matches)
        print(query, "close" if result.close else "nothing close", *verses, sep="\t")


if __name__ == "__main__":
    main()
