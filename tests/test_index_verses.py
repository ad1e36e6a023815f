"""Verses in their columnar file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img2poem.corpus.verse import Verse
from img2poem.index.verses import VerseTable, write_verses

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
verses = st.builds(
    Verse,
    text=texts, translation=texts, title=texts, author=texts, dynasty=texts, kind=texts,
    work_id=st.integers(-(2**63), 2**63 - 1), line_no=st.integers(0, 2**31), traditional=texts,
    occasions=texts,
)  # fmt: skip


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("verses") / "verses.bin"


@given(st.lists(verses, min_size=1, max_size=8))
def test_what_is_written_is_read_back(file: Path, rows: list[Verse]) -> None:
    assert write_verses(rows, file) == len(rows)
    table = VerseTable(file)
    assert [table[place] for place in range(len(table))] == rows
    assert list(table.names("author")) == list(dict.fromkeys(verse.author for verse in rows))
    for author in table.names("author"):
        assert table.having("author", author).tolist() == [v.author == author for v in rows]


def test_the_same_verses_make_the_same_bytes(tmp_path: Path) -> None:
    rows = [Verse("明月光", author="李白"), Verse("地上霜", "像霜", author="李白")]
    write_verses(rows, tmp_path / "a")
    write_verses(iter(rows), tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_name_nobody_has_matches_nothing(tmp_path: Path) -> None:
    write_verses([Verse("明月光", author="李白")], tmp_path / "a")
    assert VerseTable(tmp_path / "a").having("author", "杜甫").tolist() == [False]


@pytest.mark.parametrize("place", [-1, 1])
def test_a_place_outside_is_an_error(tmp_path: Path, place: int) -> None:
    write_verses([Verse("明月光")], tmp_path / "a")
    with pytest.raises(IndexError):
        VerseTable(tmp_path / "a")[place]


def test_another_file_or_a_short_one_is_refused(tmp_path: Path) -> None:
    write_verses([Verse("明月光" * 50)], tmp_path / "a")
    whole = (tmp_path / "a").read_bytes()
    for data in (b"PK" + whole[2:], whole[:-40], whole[:20]):
        (tmp_path / "b").write_bytes(data)
        with pytest.raises(ValueError):
            VerseTable(tmp_path / "b")
