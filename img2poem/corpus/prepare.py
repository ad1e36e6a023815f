"""Works to the corpora c, ct and select_c, with a report of what was left out and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import BinaryIO

from img2poem.corpus import FILES
from img2poem.corpus.jsonl import dump_row
from img2poem.corpus.script import to_simplified
from img2poem.corpus.seen import Seen
from img2poem.corpus.split import clean, fault, is_plain, pairs, sentences, visible
from img2poem.corpus.works import Work, read_works
from img2poem.errors import UserError
from img2poem.files import write_together

_KINDS = frozenset("诗词曲")
_REPEAT = "an exact repeat"


@dataclass
class Report:
    """What ``prepare`` read, wrote and left out.

    Attributes:
        works: works read.
        written: rows written, per corpus.
        skipped_works: works left out, per reason.
        skipped_rows: rows left out, per corpus and reason.
    """

    works: int = 0
    written: Counter[str] = field(default_factory=Counter)
    skipped_works: Counter[str] = field(default_factory=Counter)
    skipped_rows: dict[str, Counter[str]] = field(
        default_factory=lambda: {"ct": Counter(), "c": Counter()}
    )

    def rows(self) -> list[tuple[str, str]]:
        """The report as rows (what happened, how often), to be printed."""
        lines = [("works read", self.works)]
        lines += [(f"  skipped: {why}", n) for why, n in self.skipped_works.most_common()]
        for corpus in FILES:
            lines.append((f"{corpus} rows written", self.written[corpus]))
            skipped = self.skipped_rows.get(corpus, Counter[str]()).most_common()
            lines += [(f"  skipped: {why}", n) for why, n in skipped]
        return [(label, f"{count:,}") for label, count in lines]


def prepare(
    source: Path,
    out: Path,
    *,
    poets: frozenset[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Write ``ct_data.jsonl``, ``c_data.jsonl`` and ``select_c_data.jsonl``.

    Args:
        source: what ``read_works`` reads.
        out: folder for the three files; made if missing. They take their final names
            together at the end, or not at all.
        poets: the poets of select_c; the list that ships by default.
        progress: called with (bytes read, bytes in all).

    Raises:
        UserError: the source is missing or damaged, no verse in it can be used, none is by
            one of ``poets``, or ``out`` cannot be written.
    """
    report = Report()
    famous = default_poets() if poets is None else poets
    with write_together([out / name for name in FILES.values()]) as (ct_file, c_file, select_file):
        ct, c = _Corpus("ct", ct_file, report), _Corpus("c", c_file, report)
        for works in read_works(source, progress=progress):
            report.works += len(works)
            for work in _named_in_simplified(works):
                _split_work(work, ct, c, report)
            ct.flush()
            select = [line for author, line in c.flush() if author in famous]
            select_file.writelines(select)
            report.written["select_c"] += len(select)
        # Raised in here, so that good files of an earlier run are not replaced by empty ones.
        _refuse_nothing(report, source, poets)
    return report


def _refuse_nothing(report: Report, source: Path, poets: frozenset[str] | None) -> None:
    if not report.written["c"]:
        why = ", ".join(f"{reason} ({n:,})" for reason, n in report.skipped_works.most_common(3))
        raise UserError(
            f"No verse in {source} can be used{f': {why}' if why else ''}.",
            "Nothing was written. A work needs Kind (诗, 词 or 曲) and Content.",
        )
    if poets and not report.written["select_c"]:
        raise UserError(
            f"None of the {len(poets)} poets listed has a verse in {source}.",
            "Nothing was written. List names as the works have them, one a line.",
        )


def default_poets() -> frozenset[str]:
    """The famous poets of select_c that ship with img2poem."""
    return _parse_poets(resources.files("img2poem.corpus").joinpath("poets.txt").read_text("utf-8"))


def read_poets(path: Path) -> frozenset[str]:
    """Read a list of poets: names apart by space or line breaks; # begins a comment."""
    try:
        poets = _parse_poets(path.read_text("utf-8-sig"))
    except OSError as error:
        why = error.strerror or str(error)
        raise UserError(f"The list of poets {path} cannot be read: {why}.") from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"The list of poets {path} is not UTF-8 text.", "Save it as UTF-8."
        ) from error
    if not poets:
        raise UserError(f"The list of poets {path} is empty.", "Write one name a line.")
    return poets


def _parse_poets(text: str) -> frozenset[str]:
    return frozenset(name for line in text.splitlines() for name in line.split("#")[0].split())


class _Corpus:
    """One corpus being written: rows wait here to be converted, compared and written."""

    def __init__(self, name: str, file: BinaryIO, report: Report) -> None:
        self.name = name
        self.skipped = report.skipped_rows[name]
        self._file = file
        self._report = report
        self._seen = Seen()
        self._texts: list[str] = []
        # Of each text: work, line, translation, occasions.
        self._rest: list[tuple[Work, int, str, str]] = []

    def add(
        self, work: Work, line_no: int, text: str, translation: str = "", occasions: str = ""
    ) -> None:
        """Take a row, unless its text cannot be a verse."""
        if why := fault(text):
            self.skipped[why] += 1
        else:
            self._texts.append(text)
            self._rest.append((work, line_no, translation, occasions))

    def add_plain(self, work: Work, texts: list[str]) -> None:
        """Take sentences of plain content, none of which has a fault."""
        self._texts += texts
        self._rest += [(work, number, "", "") for number in range(len(texts))]

    def flush(self) -> list[tuple[str, bytes]]:
        """Write the waiting rows but for repeats; return (author, line) of those written."""
        import numpy as np

        texts, rest = self._texts, self._rest
        self._texts, self._rest = [], []
        traditional = [i for i, row in enumerate(rest) if row[0].traditional]
        originals = [texts[i] for i in traditional]
        for i, text in zip(traditional, to_simplified(originals), strict=True):
            texts[i] = text
        own = dict(zip(traditional, originals, strict=True))
        keys = (hash((row[0].author, text)) for row, text in zip(rest, texts, strict=True))
        fresh = self._seen.add(np.fromiter(keys, dtype=np.int64, count=len(texts))).tolist()
        lines = [(rest[i][0].author, _json_line(texts[i], own.get(i, ""), *rest[i])) for i in fresh]
        self._file.writelines(line for _, line in lines)
        self._report.written[self.name] += len(lines)
        if repeats := len(texts) - len(lines):
            self.skipped[_REPEAT] += repeats
        return lines


def _json_line(
    text: str, traditional: str, work: Work, line_no: int, translation: str, occasions: str
) -> bytes:
    return dump_row(
        text,
        translation,
        work.title,
        work.author,
        work.dynasty,
        work.kind,
        work.id,
        line_no,
        traditional,
        occasions,
    )


def _split_work(work: Work, ct: _Corpus, c: _Corpus, report: Report) -> None:
    content = work.content.replace("\r", "").strip()
    plain = is_plain(content)
    if not plain:
        content = visible(content).strip()
    if why := _unfit(work.kind, content):
        report.skipped_works[why] += 1
        return
    if plain and not work.translation:
        c.add_plain(work, sentences(content))
        return
    content = content if plain else clean(content)
    meanings = _add_pairs(work, content, ct) if work.translation else {}
    for number, sentence in enumerate(sentences(content)):
        c.add(work, number, sentence, meanings.get(sentence, ""))


def _add_pairs(work: Work, content: str, ct: _Corpus) -> dict[str, str]:
    translation = visible(work.translation).replace("\r", "")
    paired = pairs(content, translation)
    if paired is None:
        ct.skipped["a work whose translation has other lines"] += 1
        return {}
    occasions = visible(work.occasions).replace("\r", "").split("\n")
    breaks = {text.strip().count("\n") for text in (content, translation)}
    aligned = breaks == {len(occasions) - 1}
    if work.occasions and not aligned:
        ct.skipped["a work's occasions, which have other lines"] += 1
    for number, line, meaning in paired:
        ct.add(work, number, line, meaning, occasions[number].strip() if aligned else "")
    return {line: meaning for _, line, meaning in paired}


def _unfit(kind: str, content: str) -> str:
    """Why a work gives no verses; empty if it does."""
    if kind not in _KINDS:
        return "its kind is not 诗, 词 or 曲"
    if len(content) < 2:
        return "its content is one character" if content else "its content is empty"
    return "its content contains 【" if "【" in content else ""


def _named_in_simplified(works: list[Work]) -> list[Work]:
    """The works with clean titles and authors in Simplified characters."""
    named = [work if _has_plain_names(work) else _with_clean_names(work) for work in works]
    places = [place for place, work in enumerate(named) if work.traditional]
    flat = [name for place in places for name in (named[place].title, named[place].author)]
    names = iter(to_simplified(flat))
    for place in places:
        named[place] = named[place]._replace(title=next(names), author=next(names))
    return named


def _has_plain_names(work: Work) -> bool:
    return bool(work.author) and work.author.isalpha() and work.title.isalpha()


def _with_clean_names(work: Work) -> Work:
    return work._replace(
        title=" ".join(visible(work.title).split()),
        author="".join(visible(work.author).split()) or "佚名",
    )
