"""Words that verses use, with what a dictionary says they mean.

The dictionary is ``chinese_word_dictionary.txt`` of the PyPI package jionlp (Apache-2.0): a
word, a tab, and its senses, numbered where there are several.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from splits import plain

LONGEST_WORD = 4
LONGEST_MEANING = 26
SENSES = 2
# A word in fewer verses than this teaches little.
COMMON = 16
_PRONUNCIATION = re.compile(r"\[[a-zA-Z\u0100-\u024f]+\]")
_ASIDE = re.compile(r"[（(〔].*?[)）〕]")
_SENSE = re.compile(r"\s*\d+\.")
# Where an example, or a second sentence, begins.
_END = re.compile(r"[：～~。;；|｜]")
_OPENING = re.compile(
    r"^(喻指|比喻|谓|指|形容|亦作|犹言|犹|泛指|古代|特指|引申为|即|亦指|亦泛指|意为|见)+"
)
_NO_MEANING = re.compile(r'参见|〖|姓$|译音|["“”]|[A-Za-z]|公元|[省县]')


def meanings(entry: str) -> list[str]:
    """The senses of a dictionary entry, each cut to its defining phrase."""
    found = []
    for sense in _SENSE.split(_PRONUNCIATION.sub("", entry)):
        phrase = _END.split(_ASIDE.sub("", sense))[0].strip('"“”')
        phrase = _OPENING.sub("", phrase)
        if 2 <= len(plain(phrase)) <= LONGEST_MEANING and not _NO_MEANING.search(phrase):
            found.append(phrase)
    return found


def read(path: Path | None, verses: Iterable[str]) -> list[tuple[str, str]]:
    """(word, meaning) for the words of a dictionary that verses use; none without a path."""
    if path is None:
        return []
    entries = dict(
        line.split("\t", 1) for line in path.read_text("utf-8").splitlines() if "\t" in line
    )
    words = {word for word in entries if 2 <= len(word) <= LONGEST_WORD}
    used: Counter[str] = Counter()
    for verse in verses:
        text = plain(verse)
        parts = (
            text[i : i + n] for n in range(2, LONGEST_WORD + 1) for i in range(len(text) - n + 1)
        )
        used.update(part for part in parts if part in words)
    return [
        (word, meaning)
        for word in sorted(words)
        if used[word] >= COMMON
        for meaning in meanings(entries[word])[:SENSES]
        if word not in meaning
    ]
