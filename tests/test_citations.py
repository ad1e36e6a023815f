"""Somebody who types a verse, a title or a poet means them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img2poem.corpus.verse import Verse
from img2poem.index.citations import cited
from img2poem.index.verses import VerseTable, write_verses
from img2poem.pipeline.batch import run_batch
from img2poem.pipeline.pipeline import Pipeline
from img2poem.settings import Settings

VERSES = [
    Verse("床前明月光，疑是地上霜。", title="静夜思", author="李白"),
    Verse("举头望明月，低头思故乡。", title="静夜思", author="李白"),
    Verse("国破山河在，城春草木深。", title="春望", author="杜甫"),
    Verse("枯藤老树昏鸦，小桥流水人家。", title="天净沙·秋思", author="马致远"),
    Verse("岑夫子，丹丘生，将进酒，杯莫停。", title="将进酒", author="李白"),
    Verse("大江东去，浪淘尽、千古风流人物。", title="念奴娇·赤壁怀古", author="苏轼"),
    Verse("无言独上西楼，月如钩。", title="相见欢·无言独上西楼", author="李煜"),
    Verse("寂寞梧桐深院锁清秋。", title="相见欢·无言独上西楼", author="李煜"),
]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> VerseTable:
    path = tmp_path_factory.mktemp("verses") / "verses.bin"
    write_verses(VERSES, path)
    return VerseTable(path)


@pytest.mark.parametrize(
    ("words", "places"),
    [
        ("床前明月光", {0}),
        ("大江东去", {5}),
        ("床前明月光，疑是地上霜。举头望明月，低头思故乡。", {0, 1}),
        ("静夜思", {0, 1}),
        ("念奴娇", {5}),
        ("李白", {0, 1, 4}),
        ("李白 静夜思", {0, 1}),
        ("杜甫 春望", {2}),
        ("无言独上西楼", {6}),  # the line, though a title has it too
    ],
)
def test_a_line_a_title_or_a_poet_is_a_citation(
    table: VerseTable, words: str, places: set[int]
) -> None:
    assert cited(table, words) == places


@pytest.mark.parametrize(
    "words",
    [
        "",
        "，",
        "小桥流水",
        "将进",
        "春望",
        "明月",
        "大江东去的江边",
        "床前明月光 很想家",
        "李白 春望",
    ],
)
def test_other_words_cite_nothing(table: VerseTable, words: str) -> None:
    assert cited(table, words) == set()


@given(st.text("床前明月光，疑是地上霜。李白静夜思 ", max_size=14))
def test_what_is_cited_is_in_the_corpus(table: VerseTable, words: str) -> None:
    assert cited(table, words) <= set(range(len(VERSES)))


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("唧唧复唧唧", "唧唧复唧唧，木兰当户织。"),
        ("靜夜思", "举头望明月，低头思故乡。"),
        ("登鹳雀楼", "欲穷千里目，更上一层楼。"),
    ],
)
def test_a_citation_comes_first(words: str, meant: str) -> None:
    first = Pipeline(Settings()).query(text=words, k=1).matches[0]
    assert first.verse.text == meant
    assert first.channels["cited"] == 1.0


def test_a_citation_keeps_to_the_poet_asked_for() -> None:
    found = Pipeline(Settings()).query(text="静夜思", k=3, author="杜甫").matches
    assert {match.verse.author for match in found} == {"杜甫"}
    assert not any(match.channels["cited"] for match in found)


@pytest.mark.parametrize("words", ["苏轼，想家", "想家 蘇軾"])
def test_a_poet_named_beside_other_words_is_the_only_one_asked(words: str) -> None:
    result = Pipeline(Settings()).query(text=words, k=3)
    assert {match.verse.author for match in result.matches} == {"苏轼"}
    assert result.text == words


@pytest.mark.parametrize("words", ["李白 杜甫", "想家", "李白的月亮"])
def test_else_nobody_is(words: str) -> None:
    found = Pipeline(Settings()).query(text=words, k=8).matches
    assert len({match.verse.author for match in found}) > 1


def test_a_poet_named_beside_a_photo_is_the_only_one_asked() -> None:
    photo = Path(__file__).parent.parent / "data" / "photos" / "snow-peaks.jpg"
    found = Pipeline(Settings()).query(photo=photo, text="李白", k=3).matches
    assert {match.verse.author for match in found} == {"李白"}
    assert "雪" in found[0].verse.text


def test_so_it_is_for_a_folder_of_photos(tmp_path: Path) -> None:
    photos = Path(__file__).parent.parent / "data" / "photos"
    shutil.copy(photos / "stars.jpg", tmp_path)
    run_batch(Pipeline(Settings()), tmp_path, tmp_path / "poems.csv", text="李白 想家")
    assert ",李白,唐," in (tmp_path / "poems.csv").read_text(encoding="utf-8")
