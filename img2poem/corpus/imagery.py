"""The imagery lexicon: what a photo can show, and the words verses use for it.

``imagery.json`` gives each tag its ``verse`` words (月: 月 蟾 玉盘 婵娟 …), its ``modern``
words, the phrases in which such a word means something else (``not``: 岁月, 二月), and the
wider tags it ``implies`` (梅花 is also 花). Words are in simplified characters. A tag's ``group``
is for whoever edits the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

# What stands before a thing that is not there: 无云, 不见月, 没有一片云.
_ABSENT = re.compile("(?:无|不见|没有)(?:[一半][片点丝朵轮个])?$")
_ABSENT_LONGEST = 4


@dataclass(frozen=True, slots=True)
class Entry:
    """One tag of the lexicon."""

    tag: str
    implies: tuple[str, ...]
    verse: tuple[str, ...]
    modern: tuple[str, ...]
    misleading: tuple[str, ...]


class _Scanner:
    """Finds the words of many tags in one pass over a text."""

    def __init__(self, entries: Iterable[Entry], field: Literal["verse", "modern"]) -> None:
        # First character -> (phrase, tag, whether it is a word rather than a misleading phrase).
        self._by_first: dict[str, list[tuple[str, str, bool]]] = {}
        for entry in entries:
            words = getattr(entry, field)
            for phrase, wanted in [(w, True) for w in words] + [
                (p, False) for p in entry.misleading
            ]:
                self._by_first.setdefault(phrase[0], []).append((phrase, entry.tag, wanted))

    def find(self, text: str) -> dict[str, list[str]]:
        hits: dict[str, list[tuple[int, str]]] = {}
        blanked: dict[str, list[tuple[int, int]]] = {}
        for start, char in enumerate(text):
            for phrase, tag, wanted in self._by_first.get(char, ()):
                if not text.startswith(phrase, start):
                    continue
                if wanted and not _ABSENT.search(text, max(0, start - _ABSENT_LONGEST), start):
                    hits.setdefault(tag, []).append((start, phrase))
                elif not wanted:
                    blanked.setdefault(tag, []).append((start, start + len(phrase)))
        found: dict[str, list[str]] = {}
        for tag, places in hits.items():
            spans = blanked.get(tag, ())
            words = [
                word
                for start, word in places
                if not any(a <= start and start + len(word) <= b for a, b in spans)
            ]
            if words:
                found[tag] = list(dict.fromkeys(words))
        return found


class Lexicon:
    """Imagery tags and the words that name them."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = {entry.tag: entry for entry in entries}
        self._verse = _Scanner(self.entries.values(), "verse")
        self._modern = _Scanner(self.entries.values(), "modern")

    @property
    def tags(self) -> tuple[str, ...]:
        """All tags, in the order of the file."""
        return tuple(self.entries)

    def parents(self, tag: str) -> list[str]:
        """All wider tags that a tag implies, nearest first; empty for an unknown tag."""
        found: list[str] = []
        waiting = list(self.entries[tag].implies) if tag in self.entries else []
        while waiting:
            parent = waiting.pop(0)
            if parent not in found:
                found.append(parent)
                waiting += self.entries[parent].implies
        return found

    def find_verse(self, text: str) -> dict[str, list[str]]:
        """Tags that a verse names -> the words that name them, wider tags included."""
        return self._widen(self._verse.find(text))

    def find_modern(self, text: str) -> dict[str, list[str]]:
        """Tags that a modern description names -> the words, wider tags included."""
        return self._widen(self._modern.find(text))

    def _widen(self, found: dict[str, list[str]]) -> dict[str, list[str]]:
        wide = {tag: list(words) for tag, words in found.items()}
        for tag, words in found.items():
            for parent in self.parents(tag):
                have = wide.setdefault(parent, [])
                have += [word for word in words if word not in have]
        return wide


@cache
def lexicon() -> Lexicon:
    """The shipped lexicon, read once."""
    source = files("img2poem.corpus").joinpath("imagery.json").read_text(encoding="utf-8")
    return Lexicon(
        Entry(
            tag=tag,
            implies=tuple(row["implies"]),
            verse=tuple(row["verse"]),
            modern=tuple(row["modern"]),
            misleading=tuple(row["not"]),
        )
        for tag, row in json.loads(source).items()
    )
