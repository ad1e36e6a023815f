"""What speaks for a verse: the imagery it names, and what people quote it for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from img2poem.corpus.imagery import lexicon

# Verses and phrases speak of somebody all the time, which says little of a photo with somebody
# in it: so much of what else is named, and of nothing else too little to be close.
_ANYBODY, _LEAST_TELLING = 0.3, 0.5
_NOT_SEEN, _WITH_UNSEEN = 0.05, 0.3
# Light and weather that a photo shows or has not: each with what makes it likely unseen.
_WEATHER = {"夜": "", "月": "夜", "星空": "夜", "雨": "雷电风暴", "雪": "", "雷电风暴": ""}
_LIKELY = 0.7
# A well-known verse has so many occasions in the starter corpus; one verse in fifteen does.
_MUCH_QUOTED = 12


@lru_cache(maxsize=8_192)
def imagery(
    text: str, translation: str
) -> tuple[Mapping[str, Sequence[str]], Mapping[str, Sequence[str]]]:
    """What a verse and its rendering name; photos of a folder meet many of the same verses."""
    return lexicon().find_verse(text), lexicon().find_modern(translation)


def agreement(
    seen: Mapping[str, float], in_verse: Mapping[str, object], in_rendering: Mapping[str, object]
) -> dict[str, float]:
    """How far a verse names what was seen, and what it names that was not.

    Args:
        seen: imagery tag to probability.
        in_verse: tags the verse itself names.
        in_rendering: tags its modern rendering names.

    Returns:
        ``named``: 0 to 1, the seen imagery the verse names (fully) or its rendering names
        (half). ``unseen``: 0 to 1, the share of the imagery it names that was not seen; a half
        where it names nothing, or somebody and nothing else. ``amiss``: 0 to 1, how sure it is
        that a night, a moon, rain or the like which it speaks of is not there, or that the flower
        is another.
    """
    telling = {tag: _telling(tag, p) for tag, p in seen.items()}
    total = max(sum(telling.values()), _LEAST_TELLING)
    named = sum(
        p if tag in in_verse else 0.5 * p
        for tag, p in telling.items()
        if tag in in_verse or tag in in_rendering
    )
    all_named = set(in_verse) | set(in_rendering)
    unseen = sum(1.0 - seen.get(tag, 0.0) for tag in all_named)
    share = unseen / len(all_named) if all_named else 0.5
    not_there = [1.0 - _likely(tag, seen) for tag in in_verse if tag in _WEATHER]
    # A flower, but another one.
    kinds = [tag for tag in in_verse if "花" in lexicon().parents(tag)]
    not_there += [seen.get("花", 0.0) * (1.0 - seen.get(tag, 0.0)) for tag in kinds]
    return {
        "named": min(1.0, named / total),
        "unseen": share if all_named - {"人"} else max(share, 0.5),
        "amiss": max(not_there, default=0.0),
    }


def _likely(tag: str, seen: Mapping[str, float]) -> float:
    return max(seen.get(tag, 0.0), _LIKELY * seen.get(_WEATHER[tag], 0.0))


def _telling(tag: str, probability: float) -> float:
    return probability * (_ANYBODY if tag == "人" else 1.0)


def quoting(phrases: Sequence[str], seen: Mapping[str, float]) -> dict[str, float]:
    """How far people quote a verse for what was seen, and how much they quote it.

    Args:
        phrases: its occasions, one by one.
        seen: imagery tag to probability.

    Returns:
        ``quoted``: 0 to 1, the mean of the best phrase and of all of them: a verse quoted for a
        sight and for nothing else is of that sight. A phrase is worth the mean probability of
        what it names, little if it names something that was not seen. ``known``: the best
        phrase, by the verse's fame.
    """
    sights = [_sight(phrase, seen) for phrase in phrases] or [0.0]
    best = max(sights)
    return {
        "quoted": (best + sum(sights) / len(sights)) / 2,
        "known": best * fame(phrases),
    }


def _sight(phrase: str, seen: Mapping[str, float]) -> float:
    named = _narrowest(phrase)
    if not named:
        return 0.0
    worth = [_telling(tag, seen.get(tag, 0.0)) for tag in named]
    return sum(worth) / len(worth) * (1.0 if min(worth) > _NOT_SEEN else _WITH_UNSEEN)


@lru_cache(maxsize=8_192)
def _narrowest(phrase: str) -> tuple[str, ...]:
    """The imagery a phrase names, without what is implied: of 牡丹 not also 花."""
    named = lexicon().find_modern(phrase)
    wider = {parent for tag in named for parent in lexicon().parents(tag)}
    return tuple(tag for tag in named if tag not in wider)


def fame(phrases: Sequence[str]) -> float:
    """How much people quote a verse, 0 to 1, by its occasions."""
    return min(1.0, len(phrases) / _MUCH_QUOTED)
