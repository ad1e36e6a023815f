"""All that is printed: panels, tables, progress, errors."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.align import Align
from rich.console import Console, Group
from rich.panel import Panel
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
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

# Verses, paths and settings are printed as they are: [/] in one is no markup, :star: no emoji.
_console = partial(Console, highlight=False, markup=False, emoji=False)
out, err = _console(), _console(stderr=True)


def print_anything() -> None:
    """Let the standard streams carry Chinese whatever the locale, and file names of any bytes.

    A stream that was closed before the start goes nowhere.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115  until the end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding=_able(stream.encoding), errors="backslashreplace")


def _able(encoding: str) -> str:
    try:
        "诗".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return "utf-8"
    return encoding


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


def print_result(result: Result, *, traditional: bool = False) -> None:
    """The verses of a query: rich on a terminal, plain lines elsewhere."""
    if result.description and result.description.text:
        print_notice(f"the photo: {result.description.text}")
    if not result.matches:
        print_notice("no verse was found; ask in other words, or with fewer filters")
        return
    if not result.close:
        advice = (
            "; a few words beside the photo may help" if result.photo and not result.text else ""
        )
        print_notice(
            f"no verse is close (best {result.matches[0].score:.2f}, "
            f"close from {result.min_score:.2f}); these are the nearest{advice}"
        )
    if out.is_terminal:
        _print_rich(result, traditional)
    else:
        _print_plain(result, traditional)


def _print_rich(result: Result, traditional: bool) -> None:
    best, *others = result.matches
    out.print(_best_panel(best, traditional))
    if not others:
        return
    table = Table(box=None, padding=(0, 1), show_header=False, expand=False)
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(ratio=1, overflow="fold")
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
        out.print(f"{rank}. {_text(match, traditional)}", soft_wrap=True)
        out.print(f"   {_signature(match)}  {_source(match)} {match.score:.2f}", soft_wrap=True)
        if match.verse.translation:
            out.print(f"   {match.verse.translation}", soft_wrap=True)


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


def print_explanation(result: Result) -> None:
    """What was seen, where each verse came from and how long it took, on standard error."""
    if result.description:
        seen = "  ".join(f"{i.tag} {i.score:.2f}" for i in result.description.imagery)
        err.print(Text(f"seen: {seen or 'nothing sure'}"), soft_wrap=True)
    table = Table(title="where each verse came from", box=None, padding=(0, 1))
    names = list(dict.fromkeys(n for m in result.matches for n in m.channels))
    table.add_column(overflow="fold", min_width=14)  # seven characters, two cells each
    table.add_column("corpus")
    for name in (*names, "score"):
        table.add_column(name.replace(":", "\n"), justify="right", overflow="fold")
    for match in result.matches:
        values = [f"{match.channels[n]:.2f}" if n in match.channels else "" for n in names]
        table.add_row(match.verse.text, match.corpus, *values, f"{match.score:.2f}")
    _print_table(table, err)
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
    _print_table(table, out)


def print_models(rows: Sequence[Row]) -> None:
    """The models that can be named."""
    table = Table(box=None, padding=(0, 2))
    for heading in ("seat", "name", "size", "licence", "where"):
        table.add_column(heading, overflow="fold", justify="right" if heading == "size" else "left")
    for row in rows:
        size = f"{row.size / 1e9:.2f} GB" if row.size else ""
        table.add_row(row.seat, row.name, size, row.licence, row.state)
    _print_table(table, out)


def print_counts(title: str, rows: list[tuple[str, str]]) -> None:
    """A two-column report, e.g. what prepare kept and skipped."""
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2), show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for label, value in rows:
        table.add_row(label, value)
    _print_table(table, out)


def _print_table(table: Table, console: Console) -> None:
    """Print a table; where there is no terminal, not folded to the width of one, for scripts
    cut lines by words."""
    if not console.is_terminal:
        console = _console(width=250, stderr=console.stderr)
    console.print(table)


def print_summary(rows: list[tuple[str, Any]]) -> None:
    """What a batch did, on standard error: standard output is the result's alone."""
    for label, value in rows:
        err.print(Text(f"{label}: {value}"), soft_wrap=True)


@dataclass
class ProgressReporter:
    """Progress bars and notices on standard error; see ``pipeline.library.Reporter``."""

    progress: Progress
    tasks: dict[str, TaskID] = field(default_factory=dict)

    def task(self, label: str) -> Callable[[int, int], None]:
        """A bar for a job; call the returned function with (done, total)."""
        task = self.progress.add_task(label, total=None)

        def advance(done: int, total: int) -> None:
            self.progress.update(task, completed=done, total=total or None)

        return advance

    def notice(self, message: str) -> None:
        """Print above the bars."""
        print_notice(message)


class _Rate(ProgressColumn):
    """Things done in a second, once it is known."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.1f}/s" if speed else "", style="progress.data.speed")


@contextmanager
def reporting() -> Iterator[ProgressReporter]:
    """Bars with rate and ETA while a block runs; they vanish when it ends."""
    columns = progress_columns()
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        yield ProgressReporter(progress)


def progress_columns() -> tuple[ProgressColumn, ...]:
    """What a bar shows: the job, how far it is, how fast, since when and until when."""
    return (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
