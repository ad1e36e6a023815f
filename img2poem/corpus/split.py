"""A work's content to verses: cleaning, sentences, pairs of line and translation."""

from __future__ import annotations

import re

from img2poem.corpus.script import HAN

_INVISIBLE = re.compile(
    "[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0100-\U000e01ef]"
)
_PLAIN = re.compile(f"(?:[{HAN}]{{2,}}[，。！？；：、\n]+)+")
_SPACE = re.compile(r"[^\S\n]+")
_QUOTES = re.compile("[“”]")
_TWO_HAN = re.compile(f"[{HAN}][^{HAN}]*[{HAN}]")
_LOST = re.compile(f"[^{HAN}，。！？；：、…·—《》〈〉「」『』‘’（）【】]")
_SENTENCE = re.compile("[^。！？…]*(?:[。！？]+|…+)[」﹂』’》）］｝〕〗】]*|[^。！？…]+$")

_ROUND = re.compile(r"（[^（）]*）|\([^()]*\)")
_MARKS = re.compile(
    r"〔[^〔〕]*〕|〖[^〖〗]*〗|[\[［][0-9一二三四五六七八九十]+[\]］]|[\u2460-\u2473]"
)
_SUPPLIED = re.compile(rf"[\[［]([{HAN}]+)[\]］]")
_DOUBLE_STOP = re.compile("。{2,}")  # left where a note had its own
_WHOLE_SENTENCE = re.compile(f"[（(][{HAN}，；：、]{{5,}}[。！？][）)]")
_NOTE_WORDS = re.compile("[作注按见云引校疑脱音卷首章科唱介]")
_CITATION = re.compile("《[^》]*》[^，。]{0,6}[卷云引作]")
_FULL_WIDTH = str.maketrans(",;:!｡．∶", "，；：！。。：")


def visible(text: str) -> str:
    """Take out zero-width characters and byte order marks."""
    return _INVISIBLE.sub("", text)


def is_plain(content: str) -> bool:
    """Whether content is nothing but clauses of two Han characters or more.

    Most works are. There is nothing to clean in them, and each of their sentences is a
    verse, so that the closer looks below can be spared.
    """
    return _PLAIN.fullmatch(content) is not None


def clean(content: str) -> str:
    """Cut editors' notes out of a work's content and make its punctuation full-width.

    Line breaks stay, also those inside a note, so that lines keep their numbers.
    """
    content = visible(content)
    previous = ""
    while previous != content:  # notes stand inside notes
        previous = content
        content = _ROUND.sub(_without_note, content)
    content = _MARKS.sub("", content)
    content = _SUPPLIED.sub(r"\1", content)
    return content.translate(_FULL_WIDTH)


def _without_note(match: re.Match[str]) -> str:
    note = match[0]
    if _WHOLE_SENTENCE.fullmatch(note) and not _NOTE_WORDS.search(note):
        return note.replace("(", "（").replace(")", "）")
    return "\n" * note.count("\n")


def sentences(content: str) -> list[str]:
    """Cut cleaned content at 。！？ and ……; a closing quote stays with its sentence."""
    text = "".join(content.split())
    if "“" in text or "”" in text:
        text = _QUOTES.sub("", text)
    if "。。" in text:
        text = _DOUBLE_STOP.sub("。", text)
    return _SENTENCE.findall(text)


def pairs(content: str, translation: str) -> list[tuple[int, str, str]] | None:
    """Pair each line of cleaned content with its line of translation.

    Returns:
        (line number, line, its translation), without pairs in which a side is empty;
        None if the two do not have the same number of lines.
    """
    verses, renderings = content.strip().split("\n"), translation.strip().split("\n")
    if len(verses) != len(renderings):
        verses = [line for line in verses if line.strip()]
        renderings = [line for line in renderings if line.strip()]
        if len(verses) != len(renderings):
            return None
    rows = []
    for number, (verse, rendering) in enumerate(zip(verses, renderings, strict=True)):
        line = _QUOTES.sub("", "".join(verse.split()))
        meaning = _SPACE.sub(" ", _QUOTES.sub("", rendering)).strip()
        if line and meaning:
            rows.append((number, line, meaning))
    return rows


def fault(sentence: str) -> str:
    """Why a sentence cannot be a verse; empty if it can."""
    if not _TWO_HAN.search(sentence):
        return "fewer than two Han characters"
    if _LOST.search(sentence):
        return "a lost character"
    if sentence.count("（") != sentence.count("）"):
        return "an editor's note"
    if "《" in sentence and _CITATION.search(sentence):
        return "an editor's note"
    return ""
