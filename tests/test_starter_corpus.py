"""What data/works.json holds: its format, its counts, and how its renderings are written."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from img2poem.corpus.imagery import lexicon
from img2poem.corpus.prepare import prepare
from img2poem.corpus.script import to_simplified

DATA = Path(__file__).parents[1] / "data"
THREE_HUNDRED = Path(__file__).with_name("tang_three_hundred.txt")
KEYS = [
    *("Id", "Title", "Dynasty", "Author", "AuthorId", "Kind", "Content", "Translation"),
    *("Occasions", "Comment", "Intro", "Annotation", "PostsCount"),
]
DYNASTIES = "先秦 汉 魏晋 南北朝 隋 唐 五代 宋 金 元 明 清"
NOT_HAN = re.compile(r"[^\u3400-\u9fff\U00020000-\U000323af〇]+")
# Characters kept in the form that editions print, though OpenCC has a rarer one for them:
# their Simplified forms are in few fonts, or would name something else (濛 蘋 徵 於).
KEPT = set("玁豵蕳於濛蝀隮鱮壈摐䆉稏湋鶒麨紞巘殢斸鵊醲爇餗蘋圞頫徵鴽繻捱昇騑睍")
# What a photo may show, as the corpus was asked to cover it, by the lexicon's tags.
COVERED = """
日出 日落 夜 月 星空 云 雾 雨 雪 雷电风暴 彩虹 山 江河 湖 海 瀑布 溪 沙漠 草原 田野 森林 竹 柳 松
梅花 桃花樱花 荷花 菊花 兰花 牡丹 红叶秋叶 芦苇 果实 鸟 雁鹅 鹤鹭 燕 鹰 鸡 鸭 蝴蝶 蜜蜂 蜻蜓 蝉
马 牛 羊 狗 猫 鱼 猿猴 鹿 虎 城市高楼 街道 市集 桥 塔寺 宫殿 城墙 村舍茅屋 舟船 车 灯火 园林 乐器
书 茶 酒 美食 伞 窗 儿童 女子 老人 渔夫 农夫 人群 独行 离别 团聚
"""


class Pair(NamedTuple):
    title: str
    verse: str
    rendering: str


@cache
def works() -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads((DATA / "works.json").read_text("utf-8"))
    return loaded


@cache
def pairs() -> list[Pair]:
    return [
        Pair(work["Title"], verse, rendering)
        for work in works()
        for verse, rendering in zip(
            work["Content"].split("\n"), work["Translation"].split("\n"), strict=True
        )
    ]


def han(text: str) -> str:
    return NOT_HAN.sub("", text)


def repeated(values: list[Any]) -> list[Any]:
    return [value for value, count in Counter(values).items() if count > 1]


def test_every_work_has_the_keys_of_works_json_and_values_of_their_types() -> None:
    for work in works():
        assert list(work) == KEYS
        assert all(type(work[key]) is int for key in ("Id", "AuthorId", "PostsCount"))
        assert all(work[key] for key in ("Title", "Author", "Content", "Translation"))
        assert work["Dynasty"] in DYNASTIES.split()
        assert work["Kind"] in {"诗", "词", "曲"}
        assert work["PostsCount"] == 0


def test_every_line_has_its_rendering_and_its_occasions() -> None:
    uneven = [
        work["Title"]
        for work in works()
        if {work[key].count("\n") for key in ("Content", "Translation", "Occasions")}
        != {work["Content"].count("\n")}
    ]
    assert uneven == []


def test_occasions_are_short_phrases_for_nearly_every_line() -> None:
    lines = [line for work in works() for line in work["Occasions"].split("\n")]
    phrases = [line.split("；") for line in lines if line]
    assert len(lines) == len(pairs())
    assert len(phrases) >= 0.9 * len(lines)
    assert [p for line in phrases for p in line if not 2 <= len(p) <= 12 or p != p.strip()] == []
    assert [line for line in phrases if len(set(line)) < len(line)] == []


def test_ids_are_numbers_of_their_own_and_each_poet_has_one() -> None:
    assert repeated([work["Id"] for work in works()]) == []
    numbers = {(work["Author"], work["AuthorId"]) for work in works()}
    assert repeated([author for author, _ in numbers]) == []
    assert repeated([number for _, number in numbers]) == []


def test_nothing_stands_twice() -> None:
    assert repeated([(work["Title"], work["Author"]) for work in works()]) == []
    assert repeated([han(pair.verse) for pair in pairs()]) == []
    assert repeated([han(pair.rendering) for pair in pairs()]) == []


def test_verses_are_lines_of_5_to_40_characters_in_standard_punctuation() -> None:
    for pair in pairs():
        assert len(han(pair.verse)) >= 5, pair
        assert len(pair.verse) <= 40, pair
        assert NOT_HAN.sub("", pair.verse) == re.sub("[，。！？；：、《》]", "", pair.verse), pair
        assert pair.verse[-1] in "。！？；", pair


def test_the_text_is_simplified() -> None:
    texts = [part for work in works() for part in (work["Title"], work["Author"])]
    texts += [part for pair in pairs() for part in (pair.verse, pair.rendering)]
    changed = {
        before
        for text, simplified in zip(texts, to_simplified(texts), strict=True)
        for before, after in zip(text, simplified, strict=True)
        if before != after
    }
    assert changed <= KEPT


def test_renderings_are_of_12_to_60_characters() -> None:
    assert [pair for pair in pairs() if not 12 <= len(pair.rendering) <= 60] == []


def test_no_rendering_repeats_a_clause_of_its_verse() -> None:
    copies = [
        pair
        for pair in pairs()
        for clause in re.split("[，。！？；：、]", pair.verse)
        if len(clause) >= 5 and clause in pair.rendering
    ]
    assert copies == []


def test_no_rendering_copies_that_of_another_line() -> None:
    """Nine tenths of the four-character pieces of one are not pieces of another."""
    holders: dict[str, list[int]] = defaultdict(list)
    sizes = []
    for number, pair in enumerate(pairs()):
        text = han(pair.rendering)
        pieces = {text[i : i + 4] for i in range(len(text) - 3)}
        sizes.append(len(pieces))
        for piece in pieces:
            holders[piece].append(number)
    shared: Counter[tuple[int, int]] = Counter()
    for numbers in holders.values():
        shared.update((a, b) for i, a in enumerate(numbers) for b in numbers[i + 1 :])
    copies = [ab for ab, count in shared.items() if count > 0.9 * min(sizes[ab[0]], sizes[ab[1]])]
    assert [(pairs()[a], pairs()[b]) for a, b in copies] == []


def test_prepare_loses_no_line(tmp_path: Path) -> None:
    report = prepare(DATA / "works.json", tmp_path)
    assert report.written["ct"] == len(pairs())
    assert not report.skipped_works


def test_it_holds_as_much_as_it_should() -> None:
    kinds = Counter((work["Dynasty"], work["Kind"]) for work in works())
    assert len(works()) >= 1_200
    assert len(pairs()) >= 6_000
    assert kinds["宋", "词"] >= 300
    assert kinds["元", "曲"] >= 100
    assert {dynasty for dynasty, _ in kinds} == set(DYNASTIES.split())


def test_it_holds_all_of_the_three_hundred_tang_poems() -> None:
    rows = THREE_HUNDRED.read_text("utf-8").splitlines()
    wanted = {tuple(row.split("\t")) for row in rows}
    assert len(wanted) >= 320
    assert wanted - {(work["Title"], work["Author"]) for work in works()} == set()


@pytest.fixture(scope="module")
def coverage() -> Counter[str]:
    counts: Counter[str] = Counter()
    for pair in pairs():
        find_verse, find_modern = lexicon().find_verse, lexicon().find_modern
        counts.update({*find_verse(pair.verse), *find_modern(pair.rendering)})
    return counts


@pytest.mark.parametrize("tag", COVERED.split())
def test_a_photo_of_it_finds_25_verses_or_more(tag: str, coverage: Counter[str]) -> None:
    assert tag in lexicon().tags
    assert coverage[tag] >= 25


def test_only_animals_that_poets_hardly_name_are_found_less(coverage: Counter[str]) -> None:
    assert {tag for tag in lexicon().tags if coverage[tag] < 25} <= {"大象", "熊"}


def test_every_variant_has_a_reason_and_is_about_a_work_that_is_there() -> None:
    lines = {(work["Title"], work["Author"]): work["Content"].split("\n") for work in works()}
    with (DATA / "variants.tsv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream, delimiter="\t"))
    assert rows
    assert repeated([tuple(row[:3]) for row in rows]) == []
    for title, author, about, reason in rows:
        assert len(han(reason)) >= 4
        assert about in {"*", "题", "作者", "朝代", *lines[title, author]}
