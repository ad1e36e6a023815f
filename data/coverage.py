"""Print how much works.json holds: works, pairs, kinds, and pairs for each imagery tag.

    python data/coverage.py

A pair counts for a tag if the verse or its rendering names it (see img2poem.corpus.imagery).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from img2poem.corpus.imagery import lexicon
from img2poem.corpus.works import Work, read_works

WORKS = Path(__file__).with_name("works.json")


def works() -> list[Work]:
    """Every work of the starter corpus."""
    return [work for chunk in read_works(WORKS) for work in chunk]


def pairs(work: Work) -> list[tuple[str, str]]:
    """A work's verse lines with their renderings."""
    return list(zip(work.content.split("\n"), work.translation.split("\n"), strict=True))


def coverage(corpus: list[Work]) -> Counter[str]:
    """Imagery tag -> number of pairs that name it."""
    counts: Counter[str] = Counter(dict.fromkeys(lexicon().tags, 0))
    for work in corpus:
        for verse, rendering in pairs(work):
            counts.update({*lexicon().find_verse(verse), *lexicon().find_modern(rendering)})
    return counts


if __name__ == "__main__":
    corpus = works()
    print(f"works {len(corpus)}, pairs {sum(len(pairs(work)) for work in corpus)}")
    for label, values in (
        ("kind", [w.kind for w in corpus]),
        ("dynasty", [w.dynasty for w in corpus]),
    ):
        print(f"{label}: ", *(f"{name} {n}" for name, n in Counter(values).most_common()))
    for tag, count in sorted(coverage(corpus).items(), key=lambda item: item[1]):
        print(f"{tag}\t{count}")
