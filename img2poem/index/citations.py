"""Verses that a question cites: by a line of theirs, by their poem's title, by its poet."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from img2poem.index.verses import VerseTable

# So many characters, one after another in a verse, are no chance; fewer are if they are a clause.
_LONG, _CLAUSE = 5, 4
# Shorter titles (雪, 相思) are words anybody may type; with the poet's name they are titles.
_TITLE = 3
# Nobody cites more than a poem; a book's worth of text is not looked up line by line.
_MOST = 40
_BREAK = re.compile(r"[\W_]+")


def cited(verses: VerseTable, words: str) -> set[int]:
    """The verses that somebody cites.

    Args:
        verses: a corpus.
        words: the query. Each part of it must be of a verse (小桥流水 is less than a clause of
            小桥流水人家), or the title of a poem or of its tune, or a poet's name.

    Returns:
        Verse numbers: those that every part cites, else, for several lines of a poem, those
        that any does; none where something else was typed as well.
    """
    parts = list(dict.fromkeys(part for part in _BREAK.split(words) if part))
    if len(parts) > _MOST:
        return set()
    poets = {part for part in parts if part in verses.names("author")}
    shortest = 1 if poets else _TITLE
    each: list[set[int]] = []
    for part in parts:
        found = _having(verses, part) if part in poets else _of_verses(verses, part)
        # A tune's title may be its poem's first line, which is meant by who types so much.
        line = bool(found) and len(part) >= _LONG
        if part not in poets and not line and len(part) >= shortest:
            found |= _of_titles(verses, part)
        if not found:
            return set()
        each.append(found)
    if not each:
        return set()
    return set.intersection(*each) or (set() if poets else set.union(*each))


def _having(verses: VerseTable, poet: str) -> set[int]:
    return set(verses.having("author", poet).nonzero()[0].tolist())


def _of_verses(verses: VerseTable, part: str) -> set[int]:
    if len(part) < _CLAUSE:
        return set()
    return {
        place
        for place in verses.places(part)
        if len(part) >= _LONG or part in _BREAK.split(verses.text("text", place))
    }


def _of_titles(verses: VerseTable, part: str) -> set[int]:
    found: set[int] = set()
    for name in verses.names("title"):
        if part in name and part in _BREAK.split(name):
            found.update(verses.having("title", name).nonzero()[0].tolist())
    return found
