"""Finding verses by the words of their occasions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hashing_embedder import HashingEmbedder
from hypothesis import given
from hypothesis import strategies as st

from img2poem.corpus.verse import Verse
from img2poem.index.build import build_index
from img2poem.index.occasions import OccasionSearch
from img2poem.index.store import Filter, VerseIndex

OCCASIONS = ["加班到深夜；春运到家", "", "想开了；看开放下", "加班", "已读不回；悄悄走"]


def test_the_phrase_that_has_most_of_the_words_comes_first() -> None:
    search = OccasionSearch(OCCASIONS)
    assert list(search.find("加班到半夜", 1)) == [0]
    assert list(search.find("他已读不回", 1)) == [4]
    assert list(search.find("想开了", 1)) == [2]


def test_a_verse_is_found_once_whatever_its_phrases_share() -> None:
    assert list(OccasionSearch(["看开；看开了；想看开"]).find("看开", 5)) == [0]


def test_words_in_no_phrase_find_nothing() -> None:
    assert not len(OccasionSearch(OCCASIONS).find("瀑布", 5))


def test_a_verse_that_is_not_allowed_is_not_found() -> None:
    allowed = np.array([False, True, True, True, True])
    assert list(OccasionSearch(OCCASIONS).find("加班到深夜", 5, allowed)) == [3]


def test_a_corpus_without_occasions_has_none_to_find() -> None:
    assert not len(OccasionSearch([]).find("加班", 5))
    assert not len(OccasionSearch(["", ""]).find("加班", 5, np.array([True, True])))


@given(st.lists(st.text(), max_size=6), st.text(), st.integers(1, 5))
def test_any_text_finds_verses_that_exist(occasions: list[str], words: str, k: int) -> None:
    found = OccasionSearch(occasions).find(words, k)
    assert len(found) <= k
    assert all(0 <= number < len(occasions) for number in found)


@given(st.text(st.characters(categories=["Lo"]), min_size=2, max_size=8))
def test_a_phrase_finds_its_own_verse(phrase: str) -> None:
    assert 1 in OccasionSearch(["甲乙", phrase, "丙丁"]).find(phrase, 3)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> VerseIndex:
    verses = [
        Verse("风雪夜归人。", "风雪的夜里有人回来。", author="刘长卿", occasions="加班到深夜"),
        Verse("独宿江城蜡炬残。", "独自住在江城。", author="杜甫", occasions="加班；失眠"),
    ]
    folder = tmp_path_factory.mktemp("occasions") / "ct-hashing"
    build_index(verses, folder, HashingEmbedder(), corpus="ct")
    return VerseIndex.open(folder)


def test_an_index_finds_verses_by_occasion_within_a_filter(index: VerseIndex) -> None:
    assert set(index.quoted_for("加班到深夜", 5)) == {0, 1}
    assert list(index.quoted_for("加班到深夜", 5, where=Filter(author="杜甫"))) == [1]


def test_an_index_of_verses_without_occasions_finds_none(tmp_path: Path) -> None:
    folder = tmp_path / "c-hashing"
    build_index([Verse("风雪夜归人。")], folder, HashingEmbedder(), corpus="c")
    assert not len(VerseIndex.open(folder).quoted_for("加班", 5))
