"""The chinese-poetry data set: which of its files hold poems, and how to read them.

Source: https://github.com/chinese-poetry/chinese-poetry, and the npm package
``chinese-poetry`` made from it. Poems there have no dynasty and no kind of their own;
both follow from the file. Some files are Traditional, others Simplified.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from img2poem.corpus.script import is_traditional

Fields = tuple[int, str, str, str, str, str, str, bool]

_HAN_POETS = frozenset(
    ["贾谊", "淮南小山", "东方朔", "庄忌", "严忌", "王褒", "刘向", "王逸"]
)  # in 楚辞
_TANG_POETS = frozenset(["温庭筠", "溫庭筠", "皇甫松"])  # in 花间集
_STATED_DYNASTY = re.compile("（(.)）(.+)")  # qianjiashi: （唐）孟浩然
_PLAY = re.compile("(.+)《(.+)》")  # yuanqu: 高明《蔡伯喈琵琶记》
_SIGNATURE = re.compile("——\\w{2,4}$")  # linked verse: who wrote the line
_ENDS_OPEN = re.compile(r"\w$")
_ASCII_QUESTION = re.compile(r"(?<=\w)\?$")


@dataclass(frozen=True)
class Collection:
    """The files whose path matches ``path``, and what they leave unsaid."""

    path: re.Pattern[str]
    dynasty: str
    kind: str
    author: str = "佚名"

    def works(self, batches: Iterable[list[dict[str, Any]]], number: int) -> Iterator[list[Fields]]:
        """The poems of a file as fields of a Work, numbered on from ``number``.

        A file is in one script; a few hundred poems at its beginning tell which.
        """
        traditional: bool | None = None
        for objects in batches:
            poems = [poem for item in objects for poem in _poems(item)]
            if traditional is None and poems:
                sample = "".join(line for poem in poems[:200] for line in _lines(poem))
                traditional = is_traditional(sample)
            yield [
                self._fields(poem, place, bool(traditional))
                for place, poem in enumerate(poems, number + 1)
            ]
            number += len(poems)

    def _fields(self, poem: dict[str, Any], number: int, traditional: bool) -> Fields:
        author, title, dynasty = self._attribution(poem)
        content = "\n".join(map(_whole_line, _lines(poem)))
        return number, title, author, dynasty, self.kind, content, "", traditional

    def _attribution(self, poem: dict[str, Any]) -> tuple[str, str, str]:
        author = _text(poem, "author") or self.author
        # In 蒙学 a chapter is a poem; in 诗经 it is the part that the poem stands in.
        title = _text(poem, "title") or _text(poem, "rhythmic") or _text(poem, "chapter")
        dynasty = self.dynasty
        if stated := _STATED_DYNASTY.fullmatch(author):
            dynasty, author = stated.groups()
        elif play := _PLAY.fullmatch(author):
            author, title = play[1], f"{play[2]}·{title}"
        if author in _HAN_POETS and dynasty == "先秦":
            dynasty = "汉"
        if author in _TANG_POETS:
            dynasty = "唐"
        return author, title, dynasty


def _collection(path: str, dynasty: str, kind: str, author: str = "佚名") -> Collection:
    return Collection(re.compile(f"(?:.*/)?(?:{path})"), dynasty, kind, author)


# In reading order. Of a poem that stands in several the first is kept, so the large
# Traditional collections, which bring their own text, stand before the selections.
COLLECTIONS = (
    _collection(r"shijing\.json", "先秦", "诗"),
    _collection(r"chuci\.json", "先秦", "诗"),
    _collection(r"caocao\.json", "三国", "诗", "曹操"),
    _collection(r"poet\.tang\.\d+\.json", "唐", "诗"),
    _collection(r"(?:yudingquantangshi|御定全唐詩)/json/\d+\.json", "唐", "诗"),
    _collection(r"唐诗(?:三百首|补录)\.json|tangshisanbaishou\.json", "唐", "诗"),
    _collection(r"shuimotangshi\.json", "唐", "诗"),
    _collection(r"huajianji-[1-9x]-juan\.json", "五代十国", "词"),
    _collection(r"nantang/poetrys\.json", "五代十国", "词"),
    _collection(r"poet\.song\.\d+\.json", "宋", "诗"),
    _collection(r"ci\.song\.\w+\.json|宋词三百首\.json", "宋", "词"),
    _collection(r"qianjiashi\.json", "", "诗"),
    _collection(r"yuanqu\.json", "元", "曲"),
    _collection(r"纳兰性德诗集\.json", "清", "词", "纳兰性德"),
)
_NOT_POEMS = {"error", "rank", "strains", "node_modules"}


def collection_of(file: Path) -> Collection | None:
    """The collection a file belongs to by its path; None if to none."""
    path = file.as_posix()
    return next((item for item in COLLECTIONS if item.path.fullmatch(path)), None)


def files(folder: Path) -> list[tuple[Path, Collection]]:
    """All files of poems under a copy of the data set, in reading order."""
    found = []
    for file in sorted(folder.rglob("*.json")):
        relative = file.relative_to(folder)
        if _NOT_POEMS.isdisjoint(relative.parts) and (collection := collection_of(file)):
            found.append((file, collection))
    return sorted(found, key=lambda pair: COLLECTIONS.index(pair[1]))


def _poems(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The poems in an object: itself, or those of its chapters."""
    if _lines(item):
        yield item
        return
    nested = item.get("content")
    for part in nested if isinstance(nested, list) else ():
        if isinstance(part, dict):
            yield from _poems(part)


def _lines(poem: dict[str, Any]) -> list[str]:
    for key in ("paragraphs", "content", "para"):
        lines = poem.get(key)
        if isinstance(lines, list) and lines and all(isinstance(line, str) for line in lines):
            return lines
    return []


def _whole_line(line: str) -> str:
    """A line with its end mark: some files leave it out, others have an ASCII ?."""
    line = _SIGNATURE.sub("", line.strip())
    line = _ASCII_QUESTION.sub("？", line)
    return line + "。" if _ENDS_OPEN.search(line) else line


def _text(poem: dict[str, Any], key: str) -> str:
    value = poem.get(key)
    return value.strip() if isinstance(value, str) else ""
