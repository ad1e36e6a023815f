"""Poet, dynasty and kind, asked for in either script, as the corpora write them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from img2poem.corpus.script import to_simplified
from img2poem.pipeline.asking import Ask

if TYPE_CHECKING:
    from img2poem.index.store import Filter, VerseIndex


def named(indexes: Mapping[str, VerseIndex], where: Filter) -> Filter:
    """A filter with its names as the indexes have them.

    A name that no index has, in either script, stays in Simplified characters.
    """
    from img2poem.index.store import Filter

    known = indexes.values()
    return Filter(
        author=_as_listed(where.author, (name for index in known for name in index.authors())),
        dynasty=_as_listed(where.dynasty, (name for index in known for name in index.dynasties())),
        kind=_as_listed(where.kind, (name for index in known for name in index.kinds())),
    )


def _as_listed(wanted: str, listed: Iterator[str]) -> str:
    if not wanted:
        return ""
    # Not simplified outright: corpora hold characters that OpenCC would change (赵孟頫, 文徵明).
    names = list(listed)
    if wanted in names:
        return wanted
    plain = Ask(wanted).words
    return next((name for name in names if to_simplified([name])[0] == plain), plain)
