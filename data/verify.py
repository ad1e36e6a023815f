"""Check works.json against an independent text: the chinese-poetry data set.

    npm pack chinese-poetry && tar xzf chinese-poetry-*.tgz
    python data/verify.py package

Every verse line must stand in the data set, character for character once both are in
Simplified characters and without punctuation, in a work of the same poet, title and
dynasty; or ``variants.tsv`` must list it with the reason. Prints the counts and every line
that neither holds for, and exits with 1 if there is any.
"""

from __future__ import annotations

import csv
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from img2poem.corpus.script import to_simplified
from img2poem.corpus.works import Work, read_works

HERE = Path(__file__).parent
KEY = 4  # a line is looked up by its first characters
_NOT_HAN = re.compile(r"[^\u3400-\u9fff\U00020000-\U000323af]+")
_PART = re.compile(r"（.*?）|[·・]?其[一二三四五六七八九十]+|[一二三四五六七八九十百]+首")
# The names under which the data set and we speak of one age.
_AGES = {"五代十国": "五代", "三国": "魏晋", "魏": "魏晋", "晋": "魏晋", "隋": "唐"}

Source = tuple[str, str, str]  # author, title, dynasty


@dataclass
class Line:
    """One verse line of ours and the works of the data set that hold it."""

    work: Work
    text: str
    plain: str
    sources: set[Source] = field(default_factory=set)


def plain(text: str) -> str:
    """Only the Han characters."""
    return _NOT_HAN.sub("", text)


def our_lines() -> list[Line]:
    """Every line of works.json."""
    works = [work for chunk in read_works(HERE / "works.json") for work in chunk]
    lines = [(work, text) for work in works for text in work.content.split("\n")]
    simplified = to_simplified([text for _, text in lines])
    return [Line(w, t, plain(s)) for (w, t), s in zip(lines, simplified, strict=True)]


def find(lines: Iterable[Line], folder: Path) -> None:
    """Note for each line where the data set has it."""
    by_key: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        by_key[line.plain[:KEY]].append(line)
    for work, text in data_set(folder):
        for start in range(len(text) - KEY + 1):
            for line in by_key.get(text[start : start + KEY], ()):
                if text.startswith(line.plain, start):
                    line.sources.add((work.author, work.title, work.dynasty))


def data_set(folder: Path) -> Iterator[tuple[Work, str]]:
    """Works of the data set with their text, Simplified and without punctuation."""
    for chunk in read_works(folder):
        texts = to_simplified([plain(work.content) for work in chunk])
        authors = to_simplified([work.author for work in chunk])
        titles = to_simplified([work.title for work in chunk])
        for work, text, author, title in zip(chunk, texts, authors, titles, strict=True):
            yield work._replace(author=author, title=title), text


def read_variants() -> dict[tuple[str, str], dict[str, str]]:
    """(title, author) -> line, or * for the work, or 作者 / 题 / 朝代 -> reason."""
    variants: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    with (HERE / "variants.tsv").open(encoding="utf-8", newline="") as stream:
        for title, author, line, reason in csv.reader(stream, delimiter="\t"):
            variants[title, author][line] = reason
    return variants


def same_title(ours: str, theirs: str) -> bool:
    """Titles agree if one holds the other, apart from 其一, 二首 and what stands in brackets."""
    a, b = (plain(_PART.sub("", title)) for title in (ours, theirs))
    tune = plain(ours.split("·")[0])  # a 词 or 曲 goes by its tune in the data set
    return bool(a and b) and (a in b or b in a or tune in b or b in tune)


def check(folder: Path) -> int:
    """Print the counts and what is unexplained; return how much that is."""
    lines, variants = our_lines(), read_variants()
    find(lines, folder)
    counts: Counter[str] = Counter()
    unexplained: list[str] = []

    def settle(what: str, ok: bool, listed: bool, told: str) -> None:
        verdict = "found" if ok else "listed" if listed else "unexplained"
        counts[f"{what} {verdict}"] += 1
        if verdict == "unexplained":
            unexplained.append(f"{what}: {told}")

    by_work: dict[int, list[Line]] = defaultdict(list)
    for line in lines:
        reasons = variants[line.work.title, line.work.author]
        listed = "*" in reasons or line.text in reasons
        settle("line", bool(line.sources), listed, f"{line.work.title} {line.text}")
        by_work[line.work.id].append(line)
    for own in by_work.values():
        work, reasons = own[0].work, variants[own[0].work.title, own[0].work.author]
        sources = {source for line in own for source in line.sources}
        missing = "*" in reasons
        by_poet = {s for s in sources if s[0] == work.author or {s[0], work.author} & {"佚名"}}
        settle("poet", bool(by_poet), missing or "作者" in reasons, f"{work.title} {work.author}")
        titled = any(same_title(work.title, title) for _, title, _ in by_poet or sources)
        settle("title", titled, missing or "题" in reasons, f"{work.title} {sources}")
        ages = {_AGES.get(age, age) for _, _, age in by_poet or sources}
        age = _AGES.get(work.dynasty, work.dynasty)
        settle("dynasty", age in ages, missing or "朝代" in reasons, f"{work.title} {work.dynasty}")
    print(f"works {len(by_work)}, lines {len(lines)}")
    for what, count in sorted(counts.items()):
        print(f"{what:20}{count:7}")
    print(*unexplained, sep="\n")
    return len(unexplained)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(1 if check(Path(sys.argv[1])) else 0)
