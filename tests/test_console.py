"""What people see: right at every width, coloured only on a terminal."""

from __future__ import annotations

import io
import sys

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.progress import Progress

from img2poem import console
from img2poem.corpus.verse import Verse
from img2poem.pipeline.results import Match, Result

VERSES = [
    Verse(
        "孤舟蓑笠翁，独钓寒江雪。",
        "江心一只小船，披蓑戴笠的老翁在大雪里钓鱼。",
        "江雪",
        "柳宗元",
        "唐",
        "诗",
    ),
    Verse(
        "大江东去，浪淘尽，千古风流人物。",
        "浩浩荡荡的大江向东流去，浪花把千百年来的英雄人物都冲走了。",
        "念奴娇·赤壁怀古",
        "苏轼",
        "宋",
        "词",
    ),
]
RESULT = Result(
    tuple(Match(verse, 0.9, matched_imagery=("雪", "舟船"), corpus="ct") for verse in VERSES),
    text="雪",
    min_score=0.5,
)


def shown(
    monkeypatch: pytest.MonkeyPatch, width: int, terminal: bool, result: Result = RESULT
) -> str:
    stream = io.StringIO()
    fake = Console(
        file=stream, width=width, force_terminal=terminal, highlight=False, legacy_windows=False,
        color_system="truecolor" if terminal else None,
    )  # fmt: skip
    monkeypatch.setattr(console, "out", fake)
    console.print_result(result)
    return stream.getvalue()


@pytest.mark.parametrize("width", [60, 80, 100, 140, 200])
def test_no_line_is_wider_than_the_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    from rich.text import Text

    for line in shown(monkeypatch, width, terminal=True).splitlines():
        assert cell_len(Text.from_ansi(line).plain) <= width


def test_the_best_verse_is_set_large_and_what_matched_is_coloured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = shown(monkeypatch, 80, terminal=True)
    from rich.text import Text

    plain = Text.from_ansi(text).plain
    assert "独 钓 寒 江 雪" in plain
    assert "唐·柳宗元《江雪》" in plain
    assert "\x1b[1;33m" in text


def test_elsewhere_than_on_a_terminal_it_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, 40, terminal=False)
    assert "\x1b" not in text
    assert "1. 孤舟蓑笠翁，独钓寒江雪。\n" in text
    assert "   浩浩荡荡的大江向东流去，浪花把千百年来的英雄人物都冲走了。\n" in text


def test_nothing_found_prints_no_result(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(monkeypatch, 80, terminal=False, result=Result(())) == ""
    assert "no verse was found" in capsys.readouterr().err


def test_brackets_and_colons_of_a_verse_are_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stdout", stream)
    console.print_counts("corpora in /a/[/red]", [("folder", "[bold]:star:")])
    assert "corpora in /a/[/red]" in stream.getvalue()
    assert "[bold]:star:" in stream.getvalue()


def test_a_locale_without_chinese_still_gets_the_verse(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="latin-1", newline="\n"))
    console.print_anything()
    console.print_result(RESULT)
    sys.stdout.flush()
    assert "孤舟蓑笠翁" in raw.getvalue().decode()


def test_a_locale_that_has_chinese_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="gb18030", newline="\n"))
    console.print_anything()
    console.print_result(RESULT)
    sys.stdout.flush()
    assert "孤舟蓑笠翁" in raw.getvalue().decode("gb18030")


def test_a_job_shows_how_fast_it_goes() -> None:
    moment = 0.0
    columns = console.progress_columns()
    with Progress(*columns, get_time=lambda: moment, disable=True) as progress:
        task = progress.add_task("photos", total=100)
        for done in (10, 20, 30):
            moment += 2.0
            progress.update(task, completed=done)
        stream = io.StringIO()
        Console(width=120, file=stream).print(progress.get_renderable())
    assert "5.0/s" in stream.getvalue()


def test_on_a_narrow_terminal_nothing_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.text import Text

    plain = Text.from_ansi(shown(monkeypatch, 34, terminal=True)).plain
    assert "…" not in plain
    shown_characters = set(plain)
    for verse in VERSES:
        assert set(verse.text + verse.translation + verse.title) <= shown_characters


def test_a_table_that_is_piped_keeps_a_row_on_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    long = "/a/long/path" * 12
    console.print_settings({"data": (long, "flag", "folder of corpora and indexes")})
    assert len([line for line in capsys.readouterr().out.splitlines() if line.strip()]) == 2
