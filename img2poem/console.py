"""All that is printed: panels, tables, progress, errors."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.align import Align
from rich.console import Console, Group
from rich.panel import Panel
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from img2poem.errors import UserError
    from img2poem.models.catalog import Row
    from img2poem.pipeline.results import Match, Result

MATCHED = "bold yellow"
_MARKS = "，。！？；：、"

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def print_error(error: UserError) -> None:
    """What went wrong and what to do, on standard error."""
    err.print(Text.assemble(("error: ", "bold red"), error.problem), soft_wrap=True)
    if error.hint:
        err.print(Text(f"  {error.hint}"), soft_wrap=True)


def print_notice(message: str) -> None:
    """Something the user should know that is no result, on standard error."""
    err.print(Text.assemble(("note: ", "bold cyan"), message), soft_wrap=True)


def print_json(document: Any) -> None:
    """One JSON document on standard output, exactly as a script needs it."""
    import orjson

    # Straight to the stream: a console would wrap long lines and break the JSON.
    sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    sys.stdout.flush()


def print_result(result: Result, *, explain: bool = False, traditional: bool = False) -> None:
    """The verses of a query: rich on a terminal, plain lines elsewhere."""
    if result.description and result.description.text:
        print_notice(f"the photo: {result.description.text}")
    if not result.matches:
        print_notice("no verse was found; say in a few words what the photo is about")
        return
    if not result.close:
        print_notice(
            f"no verse is close (best {result.matches[0].score:.2f}, "
            f"close from {result.min_score:.2f}); these are the nearest"
        )
    if out.is_terminal:
        _print_rich(result, traditional)
    else:
        _print_plain(result, traditional)
    if explain:
        _print_explanation(result)


def _print_rich(result: Result, traditional: bool) -> None:
    best, *others = result.matches
    out.print(_best_panel(best, traditional))
    if not others:
        return
    table = Table(box=None, padding=(0, 1), show_header=False, expand=False)
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(ratio=1)
    table.add_column(justify="right", style="dim", no_wrap=True)
    for rank, match in enumerate(others, 2):
        cell = Group(
            Text.assemble(_coloured(match, traditional), "  ", (_signature(match), "dim")),
            Text(match.verse.translation, style="dim italic"),
        )
        table.add_row(str(rank), cell, f"{match.score:.2f}")
    out.print(table)


def _best_panel(match: Match, traditional: bool) -> Panel:
    verse = _coloured(match, traditional)
    verse.stylize("bold")
    parts = [Align.center(line) for line in _clauses(verse)]
    body: list[Any] = [Text(), *parts, Text(), Align.center(Text(_signature(match)))]
    if match.verse.translation:
        body += [Text(), Align.center(Text(match.verse.translation, style="italic"))]
    width = min(out.width, 84)
    subtitle = f"{_source(match)} {match.score:.2f}"
    return Panel(Group(*body, Text()), width=width, subtitle=subtitle, border_style="green")


def _clauses(verse: Text) -> list[Text]:
    """A couplet set large: a line for each clause, its characters set apart."""
    ends = [n for n, character in enumerate(verse.plain, 1) if character in _MARKS]
    lines = []
    for clause in verse.divide(ends):
        wide = Text()
        for character in clause.divide(range(1, len(clause))):
            wide.append(" " if wide and character.plain not in _MARKS else "")
            wide.append_text(character)
        if clause:
            lines.append(wide)
    return lines


def _print_plain(result: Result, traditional: bool) -> None:
    for rank, match in enumerate(result.matches, 1):
        out.print(f"{rank}. {_text(match, traditional)}", soft_wrap=True, markup=False)
        out.print(
            f"   {_signature(match)}  {_source(match)} {match.score:.2f}",
            soft_wrap=True,
            markup=False,
        )
        if match.verse.translation:
            out.print(f"   {match.verse.translation}", soft_wrap=True, markup=False)


def _text(match: Match, traditional: bool) -> str:
    return (match.verse.traditional if traditional else "") or match.verse.text


def _coloured(match: Match, traditional: bool) -> Text:
    """The verse with the words that matched in colour."""
    from img2poem.corpus.imagery import lexicon

    text = Text(_text(match, traditional))
    found = lexicon().find_verse(match.verse.text)
    words = [word for tag in match.matched_imagery for word in found.get(tag, [])]
    text.highlight_words(words, MATCHED)
    return text


def _signature(match: Match) -> str:
    verse = match.verse
    who = "·".join(part for part in (verse.dynasty, verse.author) if part)
    return f"—— {who}《{verse.title}》" if verse.title else f"—— {who}" if who else ""


def _source(match: Match) -> str:
    return "生成" if match.source == "generated" else "检索"


def _print_explanation(result: Result) -> None:
    if result.description:
        seen = "  ".join(f"{i.tag} {i.score:.2f}" for i in result.description.imagery)
        err.print(Text(f"seen: {seen or 'nothing sure'}"), soft_wrap=True)
    table = Table(title="where each verse came from", box=None, padding=(0, 1))
    names = list(dict.fromkeys(n for m in result.matches for n in m.channels))
    for heading in ("", "corpus", *names, "score"):
        table.add_column(heading, justify="left" if heading in ("", "corpus") else "right")
    for match in result.matches:
        values = [f"{match.channels[n]:.2f}" if n in match.channels else "" for n in names]
        table.add_row(match.verse.text, match.corpus, *values, f"{match.score:.2f}")
    err.print(table)
    stages = "  ".join(
        f"{name} {seconds * 1000:.0f} ms" for name, seconds in result.timings.items()
    )
    err.print(Text(f"time: {stages}"), soft_wrap=True)


def print_settings(rows: Mapping[str, tuple[Any, str, str]]) -> None:
    """Settings: name to (value, where it came from, what it is for)."""
    table = Table(box=None, padding=(0, 2), pad_edge=False)
    for heading in ("setting", "value", "from", "what it is for"):
        table.add_column(heading, overflow="fold")
    for name, (value, origin, purpose) in rows.items():
        shown = ",".join(value) if isinstance(value, tuple) else "" if value is None else str(value)
        table.add_row(name, shown, origin, purpose)
    out.print(table)


def print_models(rows: Sequence[Row]) -> None:
    """The models that can be named."""
    table = Table(box=None, padding=(0, 2))
    for heading in ("seat", "name", "size", "licence", "where"):
        table.add_column(heading, overflow="fold", justify="right" if heading == "size" else "left")
    for row in rows:
        size = f"{row.size / 1e9:.2f} GB" if row.size else ""
        table.add_row(row.seat, row.name, size, row.licence, row.state)
    # Not wrapped to the width of a terminal where there is none: scripts cut lines by words.
    (out if out.is_terminal else Console(width=200, highlight=False)).print(table)


def print_counts(title: str, rows: list[tuple[str, str]]) -> None:
    """A two-column report, e.g. what prepare kept and skipped."""
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2), show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for label, value in rows:
        table.add_row(label, value)
    out.print(table)


def print_summary(rows: list[tuple[str, Any]]) -> None:
    """What a batch did, on standard error: standard output is the result's alone."""
    for label, value in rows:
        err.print(Text(f"{label}: {value}"), soft_wrap=True)


@dataclass
class ProgressReporter:
    """Progress bars and notices on standard error; see ``pipeline.library.Reporter``."""

    progress: Progress
    tasks: dict[str, TaskID] = field(default_factory=dict)

    def task(self, label: str, unit: str = "") -> Callable[[int, int], None]:
        """A bar for a job; call the returned function with (done, total)."""
        task = self.progress.add_task(label, total=None)

        def advance(done: int, total: int) -> None:
            self.progress.update(task, completed=done, total=total or None)

        return advance

    def notice(self, message: str) -> None:
        """Print above the bars."""
        print_notice(message)


@contextmanager
def reporting() -> Iterator[ProgressReporter]:
    """Bars with rate and ETA while a block runs; they vanish when it ends."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        yield ProgressReporter(progress)
