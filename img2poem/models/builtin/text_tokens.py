"""Text to token rows for the built-in text model.

It reads Simplified Chinese through one Unigram tokenizer of 13,500 pieces. A Chinese
character it has never seen is not thrown together with all others: it falls into one of 64
spare pieces by its code point, so that two rare characters stay two characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    IntArray = npt.NDArray[np.int64]

START, PAD, END = 0, 1, 2
SPARE_PIECES = 64
SPARE_BASE = 0xE000
EDGE_PUNCTUATION = "。，、；：！？,.;:!? \t\r\n　“”‘’\"'《》「」『』"
# Emoji, other symbols and their joiners carry nothing the model has learnt.
_SYMBOLS = re.compile("[\u200d\ufe0f\U0001f000-\U0001faff\u2600-\u27bf\ue000-\uf8ff]")
_SPACES = re.compile(r"\s+")


def is_chinese(char: str) -> bool:
    """Whether a character is a Chinese ideograph of any block.

    The weights were trained by these bounds; ``corpus.script.HAN`` is what a verse may hold.
    """
    code = ord(char)
    return 0x3400 <= code <= 0x9FFF or code >= 0x20000 or 0xF900 <= code <= 0xFAFF


def clean(text: str) -> str:
    """Bring a text to the form that the model was trained on, characters unchanged.

    NFKC, no symbols, no punctuation at the edges, a comma for each run of white space.
    """
    text = unicodedata.normalize("NFKC", _SYMBOLS.sub(" ", text))
    return _SPACES.sub(",", text.strip(EDGE_PUNCTUATION))


class TextTokenizer:
    """Texts to padded rows of token ids.

    Args:
        source: the tokenizer.json file's content.
    """

    def __init__(self, source: str) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_str(source)
        self._known = {piece for piece in self._tokenizer.get_vocab() if len(piece) == 1}

    @cached_property
    def _simplify(self) -> object:
        from opencc import OpenCC

        return OpenCC("t2s")

    def prepare(self, text: str) -> str:
        """Simplify, clean, and give unseen characters their spare piece."""
        text = clean(self._simplify.convert(text))  # type: ignore[attr-defined]
        if all(char in self._known for char in text):
            return text
        return "".join(
            chr(SPARE_BASE + ord(char) % SPARE_PIECES)
            if is_chinese(char) and char not in self._known
            else char
            for char in text
        )

    def ids(self, texts: Sequence[str], limit: int) -> list[list[int]]:
        """Token ids of each text without marks, at most ``limit`` of them."""
        # Cut long texts before the tokenizer reads them: a piece is at least one character
        # long, and most are no longer than two.
        prepared = [self.prepare(text[: 16 * limit])[: 8 * limit] for text in texts]
        encoded = self._tokenizer.encode_batch(prepared, add_special_tokens=False)
        return [row.ids[:limit] for row in encoded]


def pad(rows: Sequence[Sequence[int]]) -> tuple[IntArray, IntArray]:
    """Rows of ids to (ids, mask), each (len(rows), longest)."""
    width = max(len(row) for row in rows)
    ids = np.full((len(rows), width), PAD, np.int64)
    mask = np.zeros((len(rows), width), np.int64)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
        mask[i, : len(row)] = 1
    return ids, mask
