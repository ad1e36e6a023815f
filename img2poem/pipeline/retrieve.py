"""Find candidates: every channel of a question searches every corpus asked for."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from img2poem.corpus.verse import Verse
from img2poem.errors import UserError

if TYPE_CHECKING:
    from img2poem.index.store import Filter, VerseIndex
    from img2poem.models.base import FloatArray


@dataclass(slots=True)
class Candidate:
    """A verse some channel found.

    Attributes:
        verse: the verse.
        corpus: where it was found.
        cosines: channel to cosine similarity; a channel that did not find it is absent.
    """

    verse: Verse
    corpus: str
    cosines: dict[str, float] = field(default_factory=dict)


def retrieve(
    indexes: Mapping[str, VerseIndex],
    channels: Mapping[str, FloatArray],
    *,
    depth: int,
    where: Filter | None = None,
) -> list[Candidate]:
    """Search every index with every channel's vector.

    Args:
        indexes: corpus to index.
        channels: channel name to a unit vector, shape (dim,).
        depth: how many verses each channel may bring from each index.
        where: author, dynasty and kind the verses must have.

    Returns:
        Candidates, each verse of a corpus once, with the cosine of every channel: those
        that did not find it themselves are computed from its stored vector.
    """
    import numpy as np

    if not channels:
        return []
    names = list(channels)
    queries = np.stack([channels[name] for name in names]).astype(np.float32)
    found: list[Candidate] = []
    for corpus, index in indexes.items():
        _, ids = index.search(queries, depth, where=where)
        unique = np.unique(ids[ids >= 0])
        cosines = index.cosines(queries, unique).T
        found += [
            Candidate(verse, corpus, dict(zip(names, map(float, row), strict=True)))
            for verse, row in zip(index.verses(unique), cosines, strict=True)
        ]
    return found


def check_filter(indexes: Mapping[str, VerseIndex], where: Filter) -> None:
    """Refuse a poet, dynasty or kind that no corpus has, suggesting the nearest.

    Raises:
        UserError: nothing could match.
    """
    for label, wanted, known in (
        ("poet", where.author, [i.authors() for i in indexes.values()]),
        ("dynasty", where.dynasty, [i.dynasties() for i in indexes.values()]),
        ("kind", where.kind, [i.kinds() for i in indexes.values()]),
    ):
        names = {name for names in known for name in names}
        if wanted and wanted not in names:
            raise UserError(
                f"No {label} {wanted} in {', '.join(indexes)}.", _nearest(wanted, sorted(names))
            )


def _nearest(wanted: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.3)
    near = near or [name for name in names if set(name) & set(wanted)][:3]
    if near:
        return f"Nearest: {', '.join(near)}."
    return f"Known: {', '.join(names[:20])}{' ...' if len(names) > 20 else ''}."
