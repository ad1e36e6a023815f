"""What models outside the package are asked, and what becomes of their answers."""

from __future__ import annotations

import re

from img2poem.corpus.imagery import lexicon
from img2poem.corpus.script import HAN, to_simplified
from img2poem.corpus.verse import Verse
from img2poem.models.base import Description, Imagery

CAPTION = (
    "请用一两句现代汉语描述这张照片，说出看得见的场景、季节、天气、时间、事物和情绪。"
    "看不出来的不要猜。只写描述本身，不要标题、列表和解释。"
)
VERSE = (
    "请为下面的情景写一句古典诗词：一联五言，或一联七言，或一句词。"
    "要自己写，不要抄前人的诗句；只用汉字、逗号和句号，不写题目、作者和解释，只写这一句。\n"
    "情景：{description}"
)
LONGEST = 160  # characters of a description; a model that rambles is cut at a sentence

_HAN = re.compile(f"[{HAN}]")
_THOUGHT = re.compile(r"<think>.*?(</think>|$)", re.DOTALL)


def described(text: str, model: str) -> Description:
    """A captioner's answer as a Description.

    The imagery is what the lexicon finds in the text. A caption gives no probabilities: what
    it names counts as seen, with a score of 1.
    """
    simplified = tidy(text)
    named = lexicon().find_modern(simplified)
    return Description(simplified, tuple(Imagery(tag, 1.0) for tag in named), model)


def tidy(answer: str) -> str:
    """A model's answer as one line in Simplified characters, without its thinking."""
    text = " ".join(_THOUGHT.sub("", answer).split())
    # Control characters could drive the terminal; U+FFFD is half a character.
    text = "".join(c for c in text if c.isprintable() and c != "\ufffd")
    text = text.strip("\"'“”‘’「」*# ")
    if len(text) > LONGEST:
        ends = [text.rfind(mark, 0, LONGEST) for mark in "。！？；"]
        text = text[: max(ends) + 1] or text[:LONGEST]
    return to_simplified([text])[0]


def speaks_chinese(text: str) -> bool:
    """Whether most letters of a text are Chinese characters."""
    letters = [c for c in text if c.isalpha()]
    return sum(bool(_HAN.match(c)) for c in letters) * 2 > len(letters)


def passage(verse: Verse) -> str:
    """What a reranker made for modern Chinese reads of a verse: its words and their rendering."""
    return f"{verse.text}{verse.translation}"
