"""Write a verse: ask for one, check its form, look whether it is new, try once more."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from img2poem.corpus.script import HAN
from img2poem.corpus.verse import Verse
from img2poem.errors import UserError

if TYPE_CHECKING:
    from img2poem.index.store import VerseIndex
    from img2poem.models.base import Generator, Photo

TRIES = 2
_CLAUSE = re.compile(rf"[{HAN}]+\Z")
# Half-width marks, and marks that tell a mood: a verse as printed has commas and stops.
_MARKS = str.maketrans({",": "，", ".": "。", "、": "，", "；": "，", "！": "。", "？": "。"})
_KNOWN_FROM = 5  # characters; shorter clauses recur by chance


@dataclass(frozen=True, slots=True)
class Written:
    """What a generator wrote.

    Attributes:
        verse: the verse; if it is not new, the real one with its poet.
        corpus: where it was found; empty if it is new.
    """

    verse: Verse
    corpus: str = ""


class Writer:
    """Asks a generator for verses and lets through those that are verses.

    Args:
        generator: writes.
        indexes: corpus to index; what is in one of them is not new.
        notice: told, in one sentence, when nothing usable was written.
    """

    def __init__(
        self,
        generator: Generator,
        indexes: Mapping[str, VerseIndex],
        notice: Callable[[str], None],
    ) -> None:
        self._generator = generator
        self._indexes = indexes
        self._notice = notice

    def write(self, query: str, photo: Photo | None = None) -> Written | None:
        """A verse about a photo or words, or None, with a notice, if two tries fail.

        Args:
            query: the words, or the description, or both.
            photo: shown to generators that see.
        """
        asked, fault = query, ""
        for _ in range(TRIES):
            try:
                answer = self._generator.write(asked, photo)
            except UserError as error:
                fault = error.problem.rstrip(".")
                break
            text, kind, fault = check_form(answer)
            if not fault:
                return find_known(text, self._indexes) or Written(Verse(text, kind=kind))
            # A generator that is asked the same would answer the same.
            asked = f"{query}\n上一次写的是“{answer[:60]}”，不合要求：{_ASK_AGAIN[fault]}"
        self._notice(f"no verse was written: {fault}.")
        return None


_NOT_HAN = "it had more than Chinese characters, commas and stops"
_LENGTH = "it had the length of no verse"
_REPEATS = "it repeated itself"
_ASK_AGAIN = {
    _NOT_HAN: "只能有汉字、逗号和句号。",
    _LENGTH: "要一联五言，或一联七言，或一句词。",
    _REPEATS: "不要重复。",
}


def check_form(answer: str) -> tuple[str, str, str]:
    """Bring an answer to the form of a verse, if it has one.

    Args:
        answer: one line from a generator.

    Returns:
        The verse with full-width marks; its kind, 诗 for lines of five or seven characters
        and 词 for others; and what is wrong with it, empty if nothing is.
    """
    text = answer.strip().strip("\"'“”‘’「」『』").translate(_MARKS)
    clauses = [part for part in re.split("[，。]", text) if part]
    if not clauses or not all(_CLAUSE.match(clause) for clause in clauses):
        return "", "", _NOT_HAN
    lengths = [len(clause) for clause in clauses]
    regular = len(clauses) <= 2 and set(lengths) in ({5}, {7})
    if not regular and not (len(clauses) <= 3 and min(lengths) >= 3 and 4 <= max(lengths) <= 9):
        return "", "", _LENGTH
    counts = Counter("".join(clauses))
    if len(set(clauses)) < len(clauses) or len(counts) < sum(lengths) / 2:
        return "", "", _REPEATS
    return "，".join(clauses) + "。", "诗" if regular else "词", ""


def find_known(text: str, indexes: Mapping[str, VerseIndex]) -> Written | None:
    """The corpus's own verse if a written one, or a whole clause of it, is not new."""
    parts = [text.rstrip("。")]
    parts += [clause for clause in re.split("[，。]", text) if len(clause) >= _KNOWN_FROM]
    for corpus, index in indexes.items():
        for part in parts:
            number = index.find_text(part)
            if number is not None:
                return Written(index.verse(number), corpus)
    return None
