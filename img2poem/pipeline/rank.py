"""Put candidates in order: rerank, weigh the channels, show near-duplicates once."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from img2poem.corpus.imagery import lexicon
from img2poem.corpus.mood import SAD, darkness
from img2poem.pipeline.evidence import agreement, fame, imagery, quoting
from img2poem.pipeline.results import Match
from img2poem.pipeline.retrieve import Candidate

if TYPE_CHECKING:
    from img2poem.models.base import Reranker

_NOT_TEXT = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each channel says about a verse for a photo.

    A photo's description is a guess, so the reranker's view of it is weighed against what
    was seen (imagery the verse names, imagery it names that was not seen) and against the
    photo's own vector; the sum goes through a logistic function. ``named``, ``unseen`` and
    ``photo`` are about what benchmarks/fusion.py chooses on labelled photos. It would drop
    ``rerank`` and ``description``, for naming is all that labels can judge; they are kept, or
    a starry night is answered with a rainy one.

    ``dark`` was chosen by reading: a verse of death or hunger under a child's photo is
    worse than one that names less. So was ``amiss``: one verse's moon over a beach by day is
    worse than another's boat. So was ``quoted``, how far people quote the verse for such a
    sight: 停车坐爱枫林晚 is what red leaves call for, though other verses name more of the photo;
    and ``known``, for of verses that fit as well people expect the one they have heard.
    ``words``, what the reranker says of words typed beside a
    photo, was set by hand: who types them means them. ``close`` is the score from which a verse
    counts as close.
    """

    bias: float = -3.0
    rerank: float = 2.0
    named: float = 4.0
    unseen: float = -2.4
    description: float = 1.0
    photo: float = 2.3
    amiss: float = -0.8
    dark: float = -1.5
    words: float = 4.0
    quoted: float = 0.8
    known: float = 0.7
    close: float = 0.5


PHOTO_WEIGHTS = Weights()
# Chosen on development queries and judged answers (training/text/RESULTS.md).
NAMED_IN_WORDS = 1.0
# One word (想家) says too little for the reranker to go by; set by hand.
NAMED_IN_ONE_WORD = 3.0
# Many verses answer a few words, and of those people expect the ones they have heard; many words
# mean one verse. Full weight up to the first length, in characters, none from the second.
_FAME, _FEW, _MANY = 0.7, 6, 16
# More than all else together: who types a line, a title or a poet means them.
_CITED = 12.0
# The share of the shorter verse's character pairs that makes two verses one line: of one poet
# variants differ; two poets must share more, for one of them may be quoting the other.
_ONE_LINE, _ONE_LINE_OF_TWO_POETS = 0.6, 0.8


def rank(
    candidates: Sequence[Candidate],
    query: str,
    reranker: Reranker | None,
    *,
    k: int,
    seen: Mapping[str, float] | None = None,
    words: str = "",
    weights: Weights = PHOTO_WEIGHTS,
    limit: int = 50,
) -> list[Match]:
    """Order candidates for a question.

    Args:
        candidates: from ``retrieve``.
        query: the words, or the description, or both.
        reranker: scores the ``limit`` (or 2k) best candidates; None where a photo was
            compared with the verses themselves, and its cosine is the score.
        k: how many matches to return.
        seen: imagery tag to probability, for a photo; None for words alone, where the
            reranker decides; imagery that the words and the verse both name helps, and fame.
        words: what was typed beside a photo.
        weights: how the channels are weighed for a photo.

    Returns:
        At most k matches, best first, no verse twice.
    """
    if not candidates:
        return []
    # Some of the candidates are variants of one line, so k verses take more than k of them.
    chosen = sorted(candidates, key=_first_score, reverse=True)[: max(limit, 2 * k)]
    scores = _scores(chosen, query, reranker, described=seen is not None)
    said = _scores(chosen, words, reranker, described=False) if words and seen is not None else []
    found = [lexicon().find_modern(query), lexicon().find_verse(query)]
    asked = {tag: 1.0 for tags in found for tag in tags}
    names = {name for tags in found for each in tags.values() for name in each}
    bare = _NOT_TEXT.sub("", query)
    weight = NAMED_IN_ONE_WORD if bare in names else NAMED_IN_WORDS
    few = min(1.0, max(0.0, (_MANY - len(bare)) / (_MANY - _FEW)))
    said_dark = darkness(query)
    matches = []
    for place, (candidate, score) in enumerate(zip(chosen, scores, strict=True)):
        in_verse, in_rendering = imagery(candidate.verse.text, candidate.verse.translation)
        channels = {f"cosine:{name}": value for name, value in candidate.cosines.items()}
        if reranker is not None:
            channels["rerank"] = score
        if seen is not None:
            channels |= agreement(seen, in_verse, in_rendering)
            verse = candidate.verse
            # Of an occasion no more than sad: 不放弃 and 挑战 are no misfortune.
            sad = min(SAD, darkness(verse.occasions))
            dark = max(darkness(verse.text + verse.translation), sad)
            channels["dark"] = max(0.0, dark - said_dark)
            channels |= quoting(verse.phrases, seen)
            if said:
                channels["words"] = said[place]
            score = fuse(channels, weights)
        elif reranker is not None:
            channels["named"] = agreement(asked, in_verse, in_rendering)["named"]
            channels["known"] = few * fame(candidate.verse.phrases)
            channels["cited"] = float(candidate.cited)
            odds = weight * channels["named"] + _FAME * channels["known"]
            if candidate.cited:
                odds = _CITED * (1.0 + fame(candidate.verse.phrases))
            score = raised(score, odds)
        wanted = seen if seen is not None else asked
        matched = tuple(tag for tag in (*in_verse, *in_rendering) if tag in wanted)
        matches.append(
            Match(
                candidate.verse,
                score,
                source=candidate.source,
                corpus=candidate.corpus,
                matched_imagery=tuple(dict.fromkeys(matched)),
                channels=channels,
            )
        )
    matches.sort(key=lambda match: match.score, reverse=True)
    # A written verse that is nearly a real one gives way to it, whatever their scores.
    matches = distinct(sorted(matches, key=lambda match: match.source == "generated"))
    return sorted(matches, key=lambda match: match.score, reverse=True)[:k]


def fuse(channels: Mapping[str, float], weights: Weights) -> float:
    """The weighed channels as one probability."""
    total = (
        weights.bias
        + weights.rerank * channels["rerank"]
        + weights.named * channels["named"]
        + weights.unseen * channels["unseen"]
        + weights.amiss * channels.get("amiss", 0.0)
        + weights.dark * channels.get("dark", 0.0)
        + weights.description * channels.get("cosine:description", channels.get("cosine:hyde", 0.0))
        + weights.photo * channels.get("cosine:photo", 0.0)
        + weights.words * channels.get("words", 0.0)
        + weights.quoted * channels.get("quoted", 0.0)
        + weights.known * channels.get("known", 0.0)
    )
    return 1.0 / (1.0 + math.exp(-total))


def raised(score: float, odds: float) -> float:
    """A reranker's score for words, its log odds raised.

    Between verses that all say much the same, people expect the one with the boat, the old
    man and the snow they asked for, and the one they know. A cross-encoder may say 1.0: beyond
    a thousand to one its odds count no further.
    """
    score = min(max(score, 1e-3), 1.0 - 1e-3)
    return 1.0 / (1.0 + math.exp(-(math.log(score / (1.0 - score)) + odds)))


def distinct(matches: Sequence[Match]) -> list[Match]:
    """Drop verses that repeat, or nearly repeat, a better-placed one."""
    kept: list[Match] = []
    taken: list[tuple[str, set[str]]] = []
    for match in matches:
        text, author = _NOT_TEXT.sub("", match.verse.text), match.verse.author
        pairs = {text[i : i + 2] for i in range(len(text) - 1)} or {text}
        if any(
            len(pairs & other) >= _one_line(author, poet) * min(len(pairs), len(other))
            for poet, other in taken
        ):
            continue
        kept.append(match)
        taken.append((author, pairs))
    return kept


def _one_line(author: str, poet: str) -> float:
    """The share that makes verses of these two one line; a written verse has no author."""
    return _ONE_LINE_OF_TWO_POETS if author and poet and author != poet else _ONE_LINE


def _scores(
    candidates: Sequence[Candidate], query: str, reranker: Reranker | None, *, described: bool
) -> list[float]:
    if reranker is None:
        return [max(0.0, candidate.cosines.get("photo", 0.0)) for candidate in candidates]
    verses = [candidate.verse for candidate in candidates]
    if described:  # A description says what is there, not what people quote a verse for.
        verses = [replace(verse, occasions="") for verse in verses]
    return [float(score) for score in reranker.score(query, verses)]


def _first_score(candidate: Candidate) -> float:
    """The first stage's order: the mean over channels, led by the best one.

    A written verse is a candidate because it was asked for, wherever it would stand, and one
    quoted for the question's words, or cited in them, whatever its vector says.
    """
    if candidate.source == "generated" or candidate.quoted or candidate.cited:
        return math.inf
    values = candidate.cosines.values()
    return max(values) + sum(values) / len(values)
