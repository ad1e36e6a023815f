"""The description: only what is given, as sentences."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from img2poem.corpus.imagery import lexicon
from img2poem.models.builtin.describe import describe

TAGS = st.dictionaries(st.sampled_from(lexicon().tags), st.floats(0.3, 1.0), max_size=12)

# Words of the frames that the lexicon also counts as a tag's, and what a low sun may be called.
ALLOWED = {
    "日出日落": {"日落", "日出", "阳光"},
    "桃花樱花": {"春"},
    "江河": {"水"},
    "舟船": {"水"},
    "桥": {"水"},
    "鱼": {"水"},
    "雷电风暴": {"云", "夜", "雨", "风"},
    "鸟": {"晴空"},
    "鹰": {"晴空"},
    "鹤鹭": {"晴空"},
    "竹": {"叶"},
    "红叶秋叶": {"叶", "树", "秋"},
    "城市高楼": {"古建筑"},
    "雪山冰川": {"山", "雪"},
    "村舍茅屋": {"农夫"},
    "人群": {"人"},
    "沙滩": {"岸"},
    "塔寺": {"僧人"},
}


@settings(max_examples=300, deadline=None)
@given(TAGS)
def test_it_names_no_tag_that_was_not_given(tags: dict[str, float]) -> None:
    may = set(tags)
    for tag in tags:
        may |= set(lexicon().parents(tag)) | ALLOWED.get(tag, set())
        for parent in lexicon().parents(tag):
            may |= ALLOWED.get(parent, set())
    named = set(lexicon().find_modern(describe(tags)))
    assert named <= may, describe(tags)


@settings(max_examples=300, deadline=None)
@given(TAGS)
def test_it_is_one_or_two_sentences_without_repeating_itself(tags: dict[str, float]) -> None:
    text = describe(tags)
    if not text:
        return
    assert text.endswith("。")
    sentences = text.rstrip("。").split("。")
    assert len(sentences) <= 2
    clauses = "，".join(sentences).split("，")
    assert len(clauses) == len(set(clauses))
    assert all(len(clause) >= 2 for clause in clauses)


def test_nothing_sure_says_nothing() -> None:
    assert describe({}) == ""


@pytest.mark.parametrize(
    ("tags", "text"),
    [
        ({"猫": 0.99}, "这里有猫。"),
        ({"草": 0.9, "马": 0.95}, "草地上有马。"),
        ({"雪": 0.9, "鹿": 0.98, "冬": 0.8}, "冬天，雪地里有鹿。"),
        ({"蝴蝶": 0.9, "花": 0.9}, "花开了，花间有蝴蝶。"),
        (
            {"湖": 0.9, "山": 0.8, "雾": 0.7, "舟船": 0.8},
            "湖面上有船，远处有山，雾气弥漫。",
        ),
        (
            {"日出日落": 0.95, "黄昏": 0.8, "海": 0.9, "沙滩": 0.8},
            "傍晚，一片沙滩，旁边就是大海，天边挂着夕阳。",
        ),
    ],
)
def test_it_reads_as_a_person_would_say_it(tags: dict[str, float], text: str) -> None:
    assert describe(tags) == text


def test_two_waters_that_cannot_be_told_apart_are_water() -> None:
    assert "水面" in describe({"湖": 0.9, "江河": 0.88})


def test_a_narrow_tag_stands_for_the_wide_one() -> None:
    assert describe({"荷花": 0.9, "花": 0.95}) == "荷花开了。"
