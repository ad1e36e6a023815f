"""The CSV of a batch: whole rows only, whatever happened to the run before."""

from __future__ import annotations

import csv
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img2poem.errors import UserError
from img2poem.pipeline.begun_with import note_of
from img2poem.pipeline.ledger import Ledger
from img2poem.pipeline.results import CSV_HEADER


def row(file: str, **cells: str) -> dict[str, str]:
    return dict.fromkeys(CSV_HEADER, "") | {"file": file} | cells


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def test_rows_are_appended_across_runs(tmp_path: Path) -> None:
    target = tmp_path / "poems.csv"
    with Ledger.open(target) as ledger:
        ledger.write([row("a.jpg", verse="床前明月光，疑是地上霜。")])
    with Ledger.open(target) as ledger:
        assert ledger.has("a.jpg")
        assert not ledger.has("b.jpg")
        assert ledger.verses() == {"床前明月光，疑是地上霜。"}
        ledger.write([row("b.jpg")])
    assert [r["file"] for r in read(target)] == ["a.jpg", "b.jpg"]


CELL = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00\r", exclude_categories=("Cs",)),
    max_size=20,
)


@given(cells=st.lists(CELL, min_size=1, max_size=5), cut=st.integers(0, 4000))
def test_a_torn_file_keeps_exactly_its_whole_rows(
    tmp_path_factory: pytest.TempPathFactory, cells: list[str], cut: int
) -> None:
    target = tmp_path_factory.mktemp("torn") / "poems.csv"
    rows = [row(f"{n}.jpg", verse=cell) for n, cell in enumerate(cells)]
    with Ledger.open(target) as ledger:
        ledger.write(rows)
    whole = target.read_bytes()
    target.write_bytes(whole[: min(cut, len(whole))])
    with Ledger.open(target) as ledger:
        missing = [r for r in rows if not ledger.has(r["file"])]
        ledger.write(missing)
    assert target.read_bytes() == whole


def test_no_cell_is_a_formula_and_resuming_still_knows_the_file(tmp_path: Path) -> None:
    target = tmp_path / "poems.csv"
    with Ledger.open(target) as ledger:
        ledger.write([row("=cmd.jpg", description="+1", verse="@x")])
    (only,) = read(target)
    assert (only["file"], only["description"], only["verse"]) == ("'=cmd.jpg", "'+1", "'@x")
    with Ledger.open(target) as ledger:
        assert ledger.has("=cmd.jpg")


def test_a_name_that_looks_like_a_quoted_formula_is_another_file(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "poems.csv") as ledger:
        ledger.write([row("=x.jpg")])
        assert not ledger.has("'=x.jpg")
        ledger.write([row("'=x.jpg")])
    assert [r["file"] for r in read(tmp_path / "poems.csv")] == ["'=x.jpg", "''=x.jpg"]


def test_a_byte_order_mark_is_written_once(tmp_path: Path) -> None:
    target = tmp_path / "poems.csv"
    for name in ("a.jpg", "b.jpg"):
        with Ledger.open(target, bom=True) as ledger:
            ledger.write([row(name)])
    assert target.read_bytes().count("\ufeff".encode()) == 1
    assert [r["file"] for r in read(target)] == ["a.jpg", "b.jpg"]


def test_photos_added_between_two_runs_end_up_in_path_order(tmp_path: Path) -> None:
    target = tmp_path / "poems.csv"
    with Ledger.open(target, bom=True) as ledger:
        ledger.write([row("b.jpg"), row("c.jpg")])
        ledger.write([row("a.jpg")])
        ledger.settle(["a.jpg", "b.jpg", "c.jpg"])
    assert [r["file"] for r in read(target)] == ["a.jpg", "b.jpg", "c.jpg"]
    assert target.read_bytes().startswith("\ufeff".encode())


def test_somebody_elses_file_is_not_touched(tmp_path: Path) -> None:
    target = tmp_path / "mine.csv"
    target.write_text("name,age\nLi,61\n")
    with pytest.raises(UserError, match="not a CSV of img2poem batch"):
        Ledger.open(target)
    assert target.read_text() == "name,age\nLi,61\n"


def test_a_file_without_a_line_break_that_is_not_ours_is_not_touched(tmp_path: Path) -> None:
    target = tmp_path / "note.csv"
    target.write_text("dear diary")
    with pytest.raises(UserError, match="not a CSV"):
        Ledger.open(target)
    assert target.read_text() == "dear diary"


def test_restart_begins_again(tmp_path: Path) -> None:
    target = tmp_path / "poems.csv"
    with Ledger.open(target) as ledger:
        ledger.write([row("a.jpg")])
    before = target.read_bytes()
    with Ledger.open(target, restart=True) as ledger:
        assert not ledger.has("a.jpg")
        assert target.read_bytes() == before  # nothing goes before there is something else
        ledger.write([row("b.jpg")])
    assert [r["file"] for r in read(target)] == ["b.jpg"]


def test_a_full_disk_is_reported_and_the_next_run_goes_on(tmp_path: Path) -> None:
    target = tmp_path / "poems.csv"
    with no_file_larger_than(300), Ledger.open(target) as ledger:
        ledger.write([row("a.jpg")])
        with pytest.raises(UserError, match=r"cannot be written.*goes on where it stopped"):
            ledger.write([row("b.jpg", description="很长" * 200)])
    with Ledger.open(target) as ledger:
        assert ledger.has("a.jpg")
        assert not ledger.has("b.jpg")
        ledger.write([row("b.jpg", description="很长" * 200)])
    assert [r["file"] for r in read(target)] == ["a.jpg", "b.jpg"]


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """Make the system refuse writes past a size, as a full disk does in mid-row."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_file_name_of_any_bytes_has_its_row_and_is_known_again(tmp_path: Path) -> None:
    target = tmp_path / "poems.csv"
    name = "x\udcff\n.jpg"  # as Python shows a byte that is not UTF-8
    with Ledger.open(target) as ledger:
        ledger.write([row(name, description=f"{name} is a photo")])
    with Ledger.open(target) as ledger:
        assert ledger.has(name)
        ledger.settle([name])
    assert [found["file"] for found in read(target)] == ["x\\udcff\n.jpg"]


def test_a_photo_that_failed_is_tried_again_and_its_new_row_counts(tmp_path: Path) -> None:
    target = tmp_path / "poems.csv"
    with Ledger.open(target) as ledger:
        ledger.write([row("a.jpg", error="damaged"), row("b.jpg", error="damaged")])
        assert ledger.failed(["a.jpg", "b.jpg"]) == 2
    with Ledger.open(target) as ledger:
        assert not ledger.has("a.jpg")
        ledger.write([row("a.jpg", verse="月")])
        assert ledger.failed(["a.jpg", "b.jpg"]) == 1
        assert ledger.failed(["a.jpg"]) == 0  # b.jpg is no longer in the folder
        ledger.settle(["a.jpg", "b.jpg"])
    assert [(r["file"], r["verse"]) for r in read(target)] == [("a.jpg", "月"), ("b.jpg", "")]


def test_a_blank_line_is_passed_over_and_no_row_is_lost(tmp_path: Path) -> None:
    target = tmp_path / "poems.csv"
    with Ledger.open(target) as ledger:
        ledger.write([row("a.jpg"), row("b.jpg")])
    target.write_bytes(target.read_bytes().replace(b"a.jpg", b"\r\na.jpg"))
    with Ledger.open(target) as ledger:
        assert ledger.has("a.jpg") and ledger.has("b.jpg")


def test_a_row_with_a_cell_too_many_is_named_and_the_file_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "poems.csv"
    with Ledger.open(target) as ledger:
        ledger.write([row("a.jpg"), row("b.jpg"), row("c.jpg")])
    edited = target.read_bytes().replace(b"b.jpg", b"b.jpg,more")
    target.write_bytes(edited)
    with pytest.raises(UserError, match=r"Line 3 of .* has 14 cells, not 13"):
        Ledger.open(target)
    assert target.read_bytes() == edited


def test_a_quotation_mark_too_many_loses_no_row(tmp_path: Path) -> None:
    target = tmp_path / "poems.csv"
    with Ledger.open(target) as ledger:
        ledger.write([row("a.jpg"), row("b.jpg", verse="月"), row("c.jpg")])
    edited = target.read_bytes().replace("月".encode(), '"月'.encode())
    target.write_bytes(edited)
    with pytest.raises(UserError, match=r"Line 3 of .* never closed"):
        Ledger.open(target)
    assert target.read_bytes() == edited


def test_a_csv_saved_in_another_encoding_is_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "poems.csv"
    with Ledger.open(target) as ledger:
        ledger.write([row("月亮.jpg", verse="床前明月光")])
    saved = target.read_bytes().decode().encode("gbk")
    target.write_bytes(saved)
    with pytest.raises(UserError, match="no longer UTF-8"):
        Ledger.open(target)
    assert target.read_bytes() == saved


def test_two_runs_do_not_write_one_file(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    target = tmp_path / "poems.csv"
    with Ledger.open(target) as ledger:
        with pytest.raises(UserError, match="Another img2poem batch"):
            Ledger.open(target, restart=True)
        ledger.write([row("a.jpg")])
    assert [r["file"] for r in read(target)] == ["a.jpg"]


def test_a_link_to_a_csv_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "real.csv", tmp_path / "poems.csv"
    link.symlink_to(target)
    with Ledger.open(link) as ledger:
        ledger.write([row("b.jpg"), row("a.jpg")])
        ledger.settle(["a.jpg", "b.jpg"])
    assert link.is_symlink()
    assert [r["file"] for r in read(target)] == ["a.jpg", "b.jpg"]


def test_a_mark_asked_for_later_is_put_before_what_is_there(tmp_path: Path) -> None:
    target = tmp_path / "poems.csv"
    with Ledger.open(target) as ledger:
        ledger.write([row("a.jpg")])
    for _ in range(2):
        with Ledger.open(target, bom=True) as ledger:
            ledger.settle(["a.jpg"])
        assert target.read_bytes().count("\ufeff".encode()) == 1


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a folder"):
        Ledger.open(tmp_path)
    with pytest.raises(UserError, match="is no file"):
        Ledger.open(Path("/dev/null"))
    with pytest.raises(UserError, match="- is no file"):
        Ledger.open(Path("-"))


def test_a_cell_that_no_csv_reader_takes_is_said_with_its_line(tmp_path: Path) -> None:
    target = tmp_path / "poems.csv"
    with Ledger.open(target) as ledger:
        ledger.write([row("a.jpg")])
    with target.open("a", newline="") as file:
        csv.writer(file).writerow(["b.jpg", "x" * 140_000, *[""] * 11])
    with pytest.raises(UserError, match="Line 3"):
        Ledger.open(target)


def test_rows_of_something_else_are_not_gone_on_with(tmp_path: Path) -> None:
    target = tmp_path / "poems.csv"
    first, other = {"the folder": "/a", "--text": ""}, {"the folder": "/a", "--text": "雪"}
    with Ledger.open(target, begun_with=first) as ledger:
        ledger.write([row("a.jpg")])
    with pytest.raises(UserError, match=r"begun with --text \(none\), not 雪"):
        Ledger.open(target, begun_with=other)
    with Ledger.open(target, begun_with=first) as ledger:
        assert ledger.has("a.jpg")
    with Ledger.open(target, begun_with=other, restart=True) as ledger:
        ledger.write([row("a.jpg")])
    with Ledger.open(target, begun_with=other) as ledger:
        assert ledger.has("a.jpg")


@pytest.mark.parametrize("written", ["{", "[]", "\xff"])
def test_a_damaged_note_of_what_it_was_begun_with_stops_nothing(
    tmp_path: Path, written: str
) -> None:
    target = tmp_path / "poems.csv"
    with Ledger.open(target, begun_with={"--text": "雪"}) as ledger:
        ledger.write([row("a.jpg")])
    note_of(target).write_bytes(written.encode("latin-1"))
    with Ledger.open(target, begun_with={"--text": "月"}) as ledger:
        assert ledger.has("a.jpg")


def test_a_folder_whose_name_is_no_text_can_be_gone_on_with(tmp_path: Path) -> None:
    target, begun_with = tmp_path / "poems.csv", {"the folder": "/photos/\udcff"}
    with Ledger.open(target, begun_with=begun_with) as ledger:
        ledger.write([row("a.jpg")])
    with Ledger.open(target, begun_with=begun_with) as ledger:
        assert ledger.has("a.jpg")
