"""Content to sentences and pairs."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img2poem.corpus.split import clean, fault, is_plain, pairs, sentences, visible


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("床前明月光，\n疑是地上霜。", ["床前明月光，疑是地上霜。"]),
        ("明月几时有？把酒问青天。", ["明月几时有？", "把酒问青天。"]),
        ("噫吁嚱！！危乎高哉……蜀道难。", ["噫吁嚱！！", "危乎高哉……", "蜀道难。"]),
        ("曰：「归也。」归何处？", ["曰：「归也。」", "归何处？"]),
        ("子曰：“逝者如斯夫。”风樯动。", ["子曰：逝者如斯夫。", "风樯动。"]),
        ("（我欲乘风归去。）又恐琼楼玉宇。", ["（我欲乘风归去。）", "又恐琼楼玉宇。"]),
        ("山 一程，\u3000水一程。", ["山一程，水一程。"]),
        ("寥落古行宫", ["寥落古行宫"]),
        ("黄者两平踪。（京本无）。又一句。", ["黄者两平踪。", "又一句。"]),
        ("", []),
    ],
)
def test_content_is_cut_at_its_stops(content: str, expected: list[str]) -> None:
    assert sentences(clean(content)) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("远去更宜长（辛本作「良」）。", "远去更宜长。"),
        ("天津桥下阳春水（一作（又作）津）。", "天津桥下阳春水。"),
        ("(正旦唱)半世为人。", "半世为人。"),
        ("〔圜钟为宫〕上直房心。", "上直房心。"),
        ("风涛如许②，栋宇屹然〖3〗。", "风涛如许，栋宇屹然。"),
        ("还欲泪沾[襟]。", "还欲泪沾襟。"),
        ("白日依山尽（见《文苑英华》卷三。\n误）。", "白日依山尽\n。"),
        ("非梧不栖;士伏处.", "非梧不栖；士伏处."),
    ],
)
def test_notes_are_cut_out_and_line_breaks_stay(content: str, expected: str) -> None:
    assert clean(content) == expected


def test_zero_width_characters_go() -> None:
    assert visible("欲辨\u200b已忘言。\ufeff") == "欲辨已忘言。"


@pytest.mark.parametrize(
    "text",
    [
        "僊之山兮□□。",
        "春?秋月。",
        "苦哉●眼士。",
        "{氵皺}尽文漪。",
        "起来瞢�嗍。",
        "崎岖\ue018转。",
        "吐言ゼ翰。",
        "聚书霮zw。",
    ],
)
def test_a_sentence_with_a_lost_character_has_a_fault(text: str) -> None:
    assert fault(text) == "a lost character"


@pytest.mark.parametrize(
    "text", ["见《舆地纪胜》卷五。", "（归洛寄尹张从恩，到此三春。", "醉发乱鬅鬙）。"]
)
def test_a_citation_or_a_piece_of_a_note_has_a_fault(text: str) -> None:
    assert fault(text) == "an editor's note"


@pytest.mark.parametrize("text", ["", "。", "兮。", "，，"])
def test_a_sentence_of_one_character_has_a_fault(text: str) -> None:
    assert fault(text) == "fewer than two Han characters"


@pytest.mark.parametrize(
    "text", ["明月几时有？", "曰：「归也。」", "昨得《黄菊赋》，碎剪金英。", "〇々𠀀…"]
)
def test_an_ordinary_sentence_has_none(text: str) -> None:
    assert fault(text) == ""


def test_lines_pair_with_lines_of_the_same_number() -> None:
    assert pairs("一行白鹭，\n 上青天。", "白鹭 飞“起”来。\n到了天上。") == [
        (0, "一行白鹭，", "白鹭 飞起来。"),
        (1, "上青天。", "到了天上。"),
    ]


def test_other_numbers_of_lines_make_no_pairs() -> None:
    assert pairs("一。\n二。", "一") is None


def test_empty_lines_do_not_spoil_the_pairing() -> None:
    assert pairs("甲。\n\n乙。\n", "a\nb") == [(0, "甲。", "a"), (1, "乙。", "b")]
    assert pairs("甲。\n乙。\n丙。", "a\n\nc") == [(0, "甲。", "a"), (2, "丙。", "c")]


text = st.text(st.sampled_from("春江花月，。！？；…「」“”（）(一作)□\n \u200bA"), max_size=40)


@given(text)
def test_nothing_but_space_quotes_and_notes_is_lost_between_sentences(content: str) -> None:
    cleaned = clean(content)
    kept = re.sub("。+", "。", "".join(sentences(cleaned)))
    assert kept == re.sub("。+", "。", re.sub(r"[\s“”]", "", cleaned))


@given(text)
def test_plain_content_has_nothing_to_clean_and_no_faults(content: str) -> None:
    if is_plain(content):
        assert clean(content) == content
        assert not any(map(fault, sentences(content)))


@given(text)
def test_cleaning_twice_changes_nothing_more(content: str) -> None:
    assert clean(clean(content)) == clean(content)
