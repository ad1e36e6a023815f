"""Poet, dynasty and kind, asked for in either script, as the corpora write them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
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


def only_poet(
    indexes: Mapping[str, VerseIndex],
    where: Filter,
    words: str,
    *,
    photo: bool,
    notice: Callable[[str], None],
) -> tuple[Filter, str]:
    """The filter and words of a question in which a poet's name stands beside the rest.

    Args:
        indexes: corpus to index.
        where: what was asked for by options; a poet among them stays.
        words: what was typed.
        photo: whether a photo is the rest, or a part of it.
        notice: told of the poet.

    Returns:
        Both as they were where several poets are named, or the words are of a poem (李白
        静夜思) or nothing but a name: such words find their verses by themselves.
    """
    parts = [part for part in re.split(r"[\W_]+", Ask(words).words) if part]
    known = {name for index in indexes.values() for name in index.authors()}
    poets = {part for part in parts if part in known}
    rest = " ".join(part for part in parts if part not in known)
    cites = not photo and any(index.cited(" ".join(parts), 1) for index in indexes.values())
    if where.author or len(poets) != 1 or cites or not (rest or photo):
        return where, words
    poet = poets.pop()
    notice(f"only verses of {poet}, as with --author")
    return replace(where, author=poet), rest


def _as_listed(wanted: str, listed: Iterator[str]) -> str:
    if not wanted:
        return ""
    # Not simplified outright: corpora hold characters that OpenCC would change (赵孟頫, 文徵明).
    names = list(listed)
    if wanted in names:
        return wanted
    plain = Ask(wanted).words
    return next((name for name in names if to_simplified([name])[0] == plain), plain)
