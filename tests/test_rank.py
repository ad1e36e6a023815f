"""Ranking: what was seen decides for a photo, and no line is shown twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from img2poem.corpus.imagery import lexicon
from img2poem.corpus.mood import darkness
from img2poem.corpus.verse import Verse
from img2poem.pipeline.evidence import agreement, quoting
from img2poem.pipeline.rank import Weights, distinct, fuse, rank
from img2poem.pipeline.results import Match
from img2poem.pipeline.retrieve import Candidate


class Even:
    """A reranker without an opinion."""

    name = "even"

    def score(self, query: str, verses: list[Verse]) -> np.ndarray:
        return np.full(len(verses), 0.5, dtype=np.float32)


MOON = Verse("举头望明月，低头思故乡。", "抬头看天上的月亮，低下头想念家乡。", "静夜思", "李白")
BOAT = Verse("孤舟蓑笠翁，独钓寒江雪。", "江心一只小船，老翁在大雪里钓鱼。", "江雪", "柳宗元")


def candidates(*verses: Verse) -> list[Candidate]:
    return [Candidate(verse, "ct", {"description": 0.5}) for verse in verses]


class Overlap:
    """Scores the share of the query's characters that a verse or its occasions have."""

    name = "overlap"

    def score(self, query: str, verses: list[Verse]) -> np.ndarray:
        said = [set(verse.text + verse.occasions) for verse in verses]
        return np.array([len(set(query) & each) / len(set(query)) for each in said], np.float32)


def test_words_beside_a_photo_are_asked_of_occasions() -> None:
    late = replace(BOAT, text="风雪夜归人。", title="逢雪", occasions="加班到深夜")
    seen, query = {"雪": 0.6}, "加班，这里有雪"
    best = rank(candidates(BOAT, late), query, Overlap(), k=1, seen=seen, words="加班")[0]
    assert best.verse == late
    assert best.channels["words"] == 1.0
    best = rank(candidates(BOAT, late), "这里有雪", Overlap(), k=1, seen=seen)[0]
    assert "words" not in best.channels


def test_a_verse_quoted_for_the_words_is_read_wherever_its_vector_lies() -> None:
    far = Candidate(replace(BOAT, occasions="加班"), "ct", {"words": -0.5}, quoted=True)
    near = [replace(MOON, text=f"{i}", work_id=i) for i in range(60)]
    found = rank([*candidates(*near), far], "加班", Overlap(), k=1, limit=10)
    assert found[0].verse == far.verse


def test_a_verse_that_names_what_was_seen_comes_first() -> None:
    seen = {"舟船": 0.9, "雪": 0.8}
    best, other = rank(candidates(MOON, BOAT), "雪里的小船", Even(), k=2, seen=seen)
    assert best.verse == BOAT
    assert best.score > other.score
    assert {"舟船", "雪"} <= set(best.matched_imagery)


def test_naming_what_was_not_seen_costs() -> None:
    seen = {"舟船": 0.9}
    moon_and_boat = Verse("月落乌啼霜满天，江枫渔火对愁眠。", "月亮落下，乌鸦叫，江边有小船。")
    boat_only = Verse("孤帆远影碧空尽，唯见长江天际流。", "一只小船越走越远。")
    best = rank(candidates(moon_and_boat, boat_only), "小船", Even(), k=1, seen=seen)[0]
    assert best.verse == boat_only


def test_a_flower_of_unknown_kind_is_not_called_by_another_ones_name() -> None:
    myrtle = Verse("谁道花无红十日，紫薇长放半年花。", "谁说花红不过十天，紫薇一开就是半年。")
    some = Verse("不摇香已乱，无风花自飞。", "不摇动，香气已经四散；没有风，花也自己飞。")
    best = rank(candidates(myrtle, some), "花开了。", Even(), k=1, seen={"花": 0.9})[0]
    assert best.verse == some


def test_words_without_imagery_keep_the_rerankers_own_score() -> None:
    assert rank(candidates(MOON), "用 Python 解析 JSON", Even(), k=1)[0].score == 0.5


def test_a_question_of_one_word_is_answered_by_a_verse_that_names_what_it_means() -> None:
    class Literal(Even):
        def score(self, query: str, verses: list[Verse]) -> np.ndarray:
            return np.array([0.98 if "家" in v.text else 0.84 for v in verses], np.float32)

    emperor = Verse("紫泉宫殿锁烟霞，欲取芜城作帝家。", "皇上想把扬州当作自己的家。")
    ranked = rank(candidates(emperor, MOON), "想家", Literal(), k=2)
    assert [match.verse for match in ranked] == [MOON, emperor]
    ranked = rank(candidates(emperor, MOON), "想家的人住进宫殿", Literal(), k=2)
    assert [match.verse for match in ranked] == [emperor, MOON]


def test_of_equal_verses_the_one_that_names_what_the_words_name_comes_first() -> None:
    best, other = rank(candidates(MOON, BOAT), "雪里的小船", Even(), k=2)
    assert best.verse == BOAT
    assert best.score > 0.5
    assert other.score == pytest.approx(0.5, abs=0.2)
    assert {"雪", "舟船"} <= set(best.matched_imagery)


def test_nothing_found_gives_nothing() -> None:
    assert rank([], "月亮", Even(), k=3) == []


def match(text: str, score: float = 0.5) -> Match:
    return Match(Verse(text), score)


def test_variants_of_one_line_are_shown_once() -> None:
    kept = distinct(
        [
            match("床前明月光，疑是地上霜。"),
            match("床前看月光，疑是地上霜。"),
            match("白日依山尽，黄河入海流。"),
        ]
    )
    assert [m.verse.text for m in kept] == ["床前明月光，疑是地上霜。", "白日依山尽，黄河入海流。"]


def test_a_poet_who_quotes_another_is_shown_beside_him() -> None:
    quoting = Verse("我醉拍手狂歌，举杯邀月，对影成三客。", author="苏轼")
    quoted = Verse("举杯邀明月，对影成三人。", author="李白")
    assert len(distinct([Match(quoting, 0.9), Match(quoted, 0.8)])) == 2
    assert len(distinct([Match(quoted, 0.9), Match(replace(quoted, author="李太白"), 0.8)])) == 1


@given(st.lists(st.text("山水月花鸟，。", max_size=12), max_size=12))
def test_dropping_repeats_keeps_the_first_and_the_order(texts: list[str]) -> None:
    kept = [m.verse.text for m in distinct([match(text) for text in texts])]
    assert kept[:1] == texts[:1]
    positions = [texts.index(text) for text in kept]
    assert positions == sorted(positions)
    assert len(kept) == len(set(kept))


@given(
    st.dictionaries(st.sampled_from(["月", "雪", "舟船", "山"]), st.floats(0, 1), max_size=4),
    st.sets(st.sampled_from(["月", "雪", "舟船", "山", "猫"])),
    st.sets(st.sampled_from(["月", "雪", "舟船", "山", "猫"])),
)
def test_agreement_stays_between_nought_and_one(
    seen: dict[str, float], in_verse: set[str], in_rendering: set[str]
) -> None:
    values = agreement(seen, dict.fromkeys(in_verse), dict.fromkeys(in_rendering))
    assert all(0 <= value <= 1 for value in values.values())


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(-1, 1), st.floats(-1, 1))
def test_the_fused_score_is_a_probability(
    rerank: float, named: float, unseen: float, description: float, photo: float
) -> None:
    channels = {
        "rerank": rerank,
        "named": named,
        "unseen": unseen,
        "cosine:description": description,
        "cosine:photo": photo,
    }
    assert 0 <= fuse(channels, Weights()) <= 1


def test_a_verse_does_not_name_what_it_says_is_not_there() -> None:
    named = lexicon().find_verse("日暮天无云，春风扇微和。")
    assert "日落" in named and "云" not in named
    assert "云" not in lexicon().find_modern("傍晚天空没有一片云。")
    assert "月" not in lexicon().find_verse("举头不见月。")
    assert "马" in lexicon().find_verse("浅草才能没马蹄。")  # 没 covers, and is no 没有


def test_for_a_flower_in_bloom_a_verse_of_flowers_that_are_over_comes_second() -> None:
    over = replace(MOON, text="开到荼蘼花事了。", translation="荼蘼花开，花季就结束了。")
    fresh = replace(BOAT, text="月季开花四时红。", translation="月季花四季都红。")
    ranked = rank(candidates(over, fresh), "花开了。", Even(), k=2, seen={"花": 0.9})
    assert ranked[0].verse == fresh
    ranked = rank(candidates(over), "花落了一地。", Even(), k=1, seen={"花": 0.9})
    assert ranked[0].channels["dark"] == 0.0


def test_a_child_who_knows_no_sorrow_is_not_sad() -> None:
    assert darkness("小儿不识愁，起坐牵我衣。") == darkness("莫愁前路无知己") == 0.0
    assert darkness("十五从军征") == 0.0 < darkness("愁多知夜长") < darkness("路有冻死骨")


def test_what_people_quote_for_such_a_sight_comes_first() -> None:
    quoted = replace(
        MOON, text="停车坐爱枫林晚。", translation="", occasions="满山红叶；枫叶红了；秋游"
    )
    other = replace(
        MOON, text="霜林落叶满前溪。", translation="", occasions="人老了；没人懂我；失业"
    )
    seen = {"红叶秋叶": 0.9, "秋": 0.8}
    for order in ((quoted, other), (other, quoted)):
        ranked = rank(candidates(*order), "树上的秋叶红了。", Even(), k=2, seen=seen)
        assert ranked[0].verse.text == quoted.text


@given(
    st.text("红叶枫月人；雪，不", max_size=20),
    st.dictionaries(st.sampled_from(["月", "雪", "红叶秋叶", "人"]), st.floats(0, 1)),
)
def test_what_occasions_say_of_a_photo_stays_between_nought_and_one(
    occasions: str, seen: dict[str, float]
) -> None:
    said = quoting(replace(MOON, occasions=occasions).phrases, seen)
    assert all(0 <= value <= 1 for value in said.values())


def test_a_phrase_that_names_what_was_not_seen_says_little() -> None:
    seen = {"雪": 0.9}
    amiss = quoting(["六月飞雪的夏天"], seen)
    assert quoting(["大雪"], seen)["quoted"] > 0.8 > 0.4 > amiss["quoted"]
    assert quoting([], seen) == quoting(["老板画大饼"], seen) == {"quoted": 0.0, "known": 0.0}


def test_of_two_verses_for_a_sight_the_one_people_quote_more_is_better_known() -> None:
    seen = {"雪": 0.9}
    much, little = quoting(["大雪"] * 9, seen), quoting(["大雪"], seen)
    assert much["known"] > little["known"] > 0
    assert abs(much["quoted"] - little["quoted"]) < 1e-6
    assert quoting(["失业"] * 9, seen)["known"] == 0


def test_a_moon_by_day_is_worse_than_a_boat_unseen() -> None:
    day, night = {"海": 0.9, "晴空": 0.9}, {"海": 0.9, "夜": 0.9}
    moon, boat = (
        agreement(day, {"海": [], "月": []}, {}),
        agreement(day, {"海": [], "舟船": []}, {}),
    )
    assert moon["amiss"] == 1.0
    assert boat["amiss"] == 0.0
    assert agreement(night, {"海": [], "月": []}, {})["amiss"] < 0.5  # there, if not in the picture
    ranked = rank(
        candidates(
            replace(MOON, text="海上生明月。", translation="海上升起明月。"),
            replace(BOAT, text="海上一归舟。", translation="海上一条归来的船。"),
        ),
        "一片大海。", Even(), k=2, seen=day,
    )  # fmt: skip
    assert ranked[0].verse.text == "海上一归舟。"


def test_another_flower_is_amiss_and_a_flower_where_there_is_none_is_only_unseen() -> None:
    rose = {"花": 0.9, "玫瑰月季": 0.9}
    assert agreement(rose, {"花": [], "荷花": []}, {})["amiss"] > 0.8
    assert agreement(rose, {"花": [], "玫瑰月季": []}, {})["amiss"] < 0.2
    assert agreement({"儿童": 0.9}, {"儿童": [], "荷花": []}, {})["amiss"] == 0.0


def test_a_verse_that_names_only_somebody_is_not_wholly_of_what_was_seen() -> None:
    seen = {"人": 0.9, "雪": 0.9}
    assert agreement(seen, {"人": []}, {})["unseen"] == agreement(seen, {}, {})["unseen"] == 0.5
    assert agreement(seen, {"人": [], "雪": []}, {})["unseen"] < 0.2


def test_somebody_alone_names_less_than_what_is_seen_beside_him() -> None:
    person, both = {"人": 0.9}, {"人": 0.9, "雪": 0.9}
    assert agreement(person, {"人": []}, {})["named"] < 0.6
    assert agreement(both, {"雪": []}, {})["named"] > agreement(both, {"人": []}, {})["named"]
