"""Verses as JSON Lines, one object a line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from img2poem.corpus.verse import Verse, fits
from img2poem.errors import UserError


def read_verses(path: Path) -> Iterator[Verse]:
    """Yield the verses of a corpus file.

    ``content`` must be there; ``translation``, ``author`` and the other keys may be
    missing, so that files with ``content`` and ``translation`` or ``content`` and
    ``author`` alone load too. A byte order mark and empty lines are allowed.

    Raises:
        UserError: the file cannot be read, or a line of it is not a verse.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if not line.isspace() and line:
                    yield _verse(line, path, number)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error


def dump_row(
    text: str,
    translation: str,
    title: str,
    author: str,
    dynasty: str,
    kind: str,
    work_id: int,
    line_no: int,
    traditional: str,
    occasions: str = "",
) -> bytes:
    """A verse, given by the fields of ``Verse``, as one line of JSON with its line break."""
    row = {
        "content": text,
        "translation": translation,
        "author": author,
        "title": title,
        "dynasty": dynasty,
        "kind": kind,
        "work_id": work_id,
        "line_no": line_no,
    }
    if traditional:
        row["traditional"] = traditional
    if occasions:
        row["occasions"] = occasions
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def _verse(line: bytes, path: Path, number: int) -> Verse:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise _bad_line(path, number, "is not a JSON object") from error
    if not isinstance(row, dict):
        raise _bad_line(path, number, "is not a JSON object")
    text = row.get("content")
    if not isinstance(text, str) or not text:
        raise _bad_line(path, number, 'has no "content"')
    values = {key: _value(row, key, "", path, number) for key in _TEXT_KEYS}
    numbers = {key: _value(row, key, 0, path, number) for key in _NUMBER_KEYS}
    return Verse(text, **values, **numbers)


_TEXT_KEYS = ("translation", "title", "author", "dynasty", "kind", "traditional", "occasions")
_NUMBER_KEYS = ("work_id", "line_no")


def _value(row: dict[str, Any], key: str, default: Any, path: Path, number: int) -> Any:
    value = row.get(key)
    if value is None:
        return default
    if type(value) is not type(default) or not fits(value):
        raise _bad_line(path, number, f'has a wrong "{key}"')
    return value


def _bad_line(path: Path, number: int, problem: str) -> UserError:
    return UserError(
        f"{path}, line {number:,}, {problem}.", "Make the file anew with: img2poem prepare WORKS"
    )
