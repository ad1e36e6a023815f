"""Check works.json against an independent text: the chinese-poetry data set.

    npm pack chinese-poetry && tar xzf chinese-poetry-*.tgz
    python data/verify.py package

Every verse line must stand in the data set, character for character once both are in
Simplified characters, in one form of each character and without punctuation; and its poet,
title and dynasty must be those of a work that holds it. What differs must be listed with
the reason in ``variants.tsv``: title, poet, what it is about (a line; 题, 作者 or 朝代; or *,
a work the data set lacks) and the reason. Prints the counts, everything that is neither
found nor listed, and every listed row that explains nothing; exits with 1 if there is any.
"""

from __future__ import annotations

import csv
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from img2poem.corpus.script import HAN, to_simplified
from img2poem.corpus.works import Work, read_works

HERE = Path(__file__).parent
KEY = 4  # a line is looked up by its first characters
LACKING = "*"
# Forms of one character that OpenCC leaves apart: the form we read, then its others.
GLYPHS = """
着著 余馀 沉沈 疏疎 檐簷 剪翦 欹敧攲 斗鬭鬬 妆粧 只祇秪祗 苢苡 踏蹋 堤隄 隐隠 伞繖 净浄 饼餠 毡氊
暖煖 懒嬾 璃瓈 穗穟 雁鴈 赖頼 莺鶑 霓蜺 钟锺 村邨 裙帬 趁趂 笛篴 垄垅 嘴觜 蕊蘂 袅褭 菱蔆
软輭 驴馿 衔啣 碗椀 扫埽 釜鬴 箸筯 听聴 脍鲙 厩廐 寇冦 蒂蔕 宽寛 球毬 勋勲 稚穉 妒妬 蓑簔 闹閙
锄鉏 漱潄 样様 写冩 恍怳 茅茆 咒呪 琉瑠 猿猨 匹疋 骢騘 胭臙 楫檝 欢驩懽 捻撚 朵朶 蝶蜨 犁犂
殷慇 勤懃 遍徧 雏鶵 卮巵 愧媿 宁寕 亩畆 应譍 蹴蹵 飙飚 仿彷 边邉 笺牋 躲趓 橹𫇛 游逰 艺蓻
剑劒劔 鹈𫛸 唇脣 凭凴 湋𣲗 摇揺 跄蹡 醾釄 棹櫂 幡旛 鹅鵞
"""
_ONE_FORM = {ord(other): forms[0] for forms in GLYPHS.split() for other in forms[1:]}
_NOT_HAN = re.compile(f"[^{HAN}]+")
_PART = re.compile(r"（.*?）|[·・]?其[一二三四五六七八九十]+|[一二三四五六七八九十百]+首")
_UNKNOWN = {"佚名", "无名氏"}
# The data set's names for an age: 全唐诗 and 全唐五代词 reach from Sui to the Five Dynasties.
_AGES = {"五代十国": "唐", "五代": "唐", "隋": "唐", "三国": "魏晋", "魏": "魏晋", "晋": "魏晋"}


class Source(NamedTuple):
    """A work of the data set."""

    author: str
    title: str
    dynasty: str


@dataclass
class Line:
    """One verse line of ours and the works of the data set that hold it."""

    work: Work
    text: str
    plain: str
    sources: set[Source] = field(default_factory=set)


def plain(texts: list[str]) -> list[str]:
    """Only the Han characters, Simplified, each in one form."""
    return [_NOT_HAN.sub("", text).translate(_ONE_FORM) for text in to_simplified(texts)]


def our_lines() -> list[Line]:
    """Every line of works.json."""
    works = [work for chunk in read_works(HERE / "works.json") for work in chunk]
    lines = [(work, text) for work in works for text in work.content.split("\n")]
    folded = plain([text for _, text in lines])
    return [Line(*line, text) for line, text in zip(lines, folded, strict=True)]


def find(lines: Iterable[Line], folder: Path) -> None:
    """Note for each line where the data set has it."""
    by_key: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        by_key[line.plain[:KEY]].append(line)
    for source, text in data_set(folder):
        for start in range(len(text) - KEY + 1):
            for line in by_key.get(text[start : start + KEY], ()):
                if text.startswith(line.plain, start):
                    line.sources.add(source)


def data_set(folder: Path) -> Iterator[tuple[Source, str]]:
    """Works of the data set, each with its text made plain."""
    for chunk in read_works(folder):
        texts = plain([work.content.replace("\n", "") for work in chunk])
        authors = poets([work.author for work in chunk])
        titles = to_simplified([work.title for work in chunk])
        for work, text, author, title in zip(chunk, texts, authors, titles, strict=True):
            yield Source(author, title, work.dynasty), text


def poets(names: list[str]) -> list[str]:
    """Names without 释 before a monk's and without the number after a common one."""
    return [name.removeprefix("释") for name in plain(names)]


Row = tuple[str, str, str]  # title, poet, what it is about


def read_variants() -> dict[Row, str]:
    """The reviewed rows of variants.tsv: what each is about, and its reason."""
    with (HERE / "variants.tsv").open(encoding="utf-8", newline="") as stream:
        rows = csv.reader(stream, delimiter="\t")
        return {(title, author, about): reason for title, author, about, reason in rows}


def same_title(ours: str, theirs: str) -> bool:
    """Titles agree if one holds the other, apart from 其一, 二首 and what stands in brackets."""
    tune = ours.split("·")[0]  # a 词 or 曲 goes by its tune in the data set
    a, b, c = plain([_PART.sub("", ours), _PART.sub("", theirs), tune])
    return bool(a and b) and (a in b or b in a or c in b or b in c)


class Tally:
    """Counts the questions that are answered by the data set, by a row, or not at all."""

    def __init__(self, rows: dict[Row, str]) -> None:
        self.counts: Counter[str] = Counter()
        self.unexplained: list[str] = []
        self.unneeded = dict(rows)
        self._rows = rows

    def settle(self, question: str, work: Work, about: str, found: bool) -> None:
        """Count a question about a work, or one line of it, that a row may answer."""
        rows = [(work.title, work.author, key) for key in (about, LACKING)]
        row = next((row for row in rows if row in self._rows), None)
        if found:
            verdict = "found"
        elif row:
            verdict = "listed"
            self.unneeded.pop(row, None)
        else:
            verdict = "unexplained"
            self.unexplained.append(f"{question}: {work.title} {work.author} {about}")
        self.counts[f"{question} {verdict}"] += 1


def check(folder: Path) -> int:
    """Print the counts and what is wrong; return how much that is."""
    lines, tally = our_lines(), Tally(read_variants())
    find(lines, folder)
    by_work: dict[int, list[Line]] = defaultdict(list)
    for line in lines:
        by_work[line.work.id].append(line)
    for own in by_work.values():
        check_work(own, tally)
    print(f"works {len(by_work)}, lines {len(lines)}")
    for answer, count in sorted(tally.counts.items()):
        print(f"{answer:20}{count:7}")
    wrong = tally.unexplained + [f"explains nothing: {' '.join(row)}" for row in tally.unneeded]
    print(f"unexplained {len(tally.unexplained)}, rows that explain nothing {len(tally.unneeded)}")
    print(*wrong, sep="\n")
    return len(wrong)


def check_work(own: list[Line], tally: Tally) -> None:
    """Ask of one work, given by its lines, whether the data set has it so."""
    work = own[0].work
    for line in own:
        tally.settle("line", work, line.text, bool(line.sources))
    sources = {source for line in own for source in line.sources}
    poet = poets([work.author])[0]
    by_poet = {s for s in sources if s.author == poet or {s.author, poet} & _UNKNOWN}
    tally.settle("poet", work, "作者", bool(by_poet))
    by_poet = by_poet or sources
    tally.settle("title", work, "题", any(same_title(work.title, s.title) for s in by_poet))
    ages = {_AGES.get(source.dynasty, source.dynasty) for source in by_poet}
    tally.settle("dynasty", work, "朝代", _AGES.get(work.dynasty, work.dynasty) in ages)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(1 if check(Path(sys.argv[1])) else 0)
