"""Chinese characters: which they are, and Traditional to Simplified through OpenCC."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

HAN = "〇々\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
"""Every Chinese character a text may hold, as the inside of a regular expression's [...]."""

_TRADITIONAL_SHARE = 0.05  # Simplified files lie under 0.01, Traditional ones above 0.09


@cache
def _converter() -> Any:
    import opencc

    return opencc.OpenCC("t2s")


def to_simplified(texts: Sequence[str]) -> list[str]:
    """Convert texts without line breaks; one call for all of them."""
    if not texts:
        return []
    converted: str = _converter().convert("\n".join(texts))
    return converted.split("\n")


def is_traditional(text: str) -> bool:
    """Whether a sample of text is written in Traditional characters.

    Single characters do not tell (於, 馀 and 著 stand in Simplified editions too), the
    share of those that conversion changes does.
    """
    sample = text[:20_000].replace("\n", "")
    converted = to_simplified([sample])[0]
    changed = sum(a != b for a, b in zip(sample, converted, strict=False))
    return changed > _TRADITIONAL_SHARE * len(sample)
