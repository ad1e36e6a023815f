"""Reads a file of JSON objects as a stream: one array of any size, or JSON Lines.

The file is cut at commas between objects and each piece, some megabytes long, goes to
orjson in one call. Where a piece will not parse, a scanner that knows strings and braces
finds the objects one by one, so that an error can name the byte and the object.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import orjson

from img2poem.errors import UserError

Object = dict[str, Any]

_CHUNK = 1 << 20
_LONGEST_OBJECT = 64 << 20  # a longer one is an unclosed quote or brace, not a work
_BOM = b"\xef\xbb\xbf"
_SPACE = re.compile(rb"[ \t\r\n]*")
_STRING_OR_BRACE = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*("?)|[{}]', re.DOTALL)


def read_objects(
    path: Path, *, on_bytes: Callable[[int], None] | None = None, chunk: int = _CHUNK
) -> Iterator[list[Object]]:
    """Yield the file's objects in order, in lists of any length.

    Args:
        path: a JSON array of objects, or one object after another; UTF-8, a BOM is allowed.
        on_bytes: called with the number of bytes parsed so far.
        chunk: bytes read at a time.

    Raises:
        UserError: the file cannot be read, is not UTF-8, is cut short or is malformed;
            the message names the byte and how many objects came before it.
    """
    try:
        with path.open("rb") as file:
            stream = _Stream(path)
            while not stream.closed:
                data = file.read(chunk)
                stream.buffer += data
                if objects := stream.take(at_end=not data):
                    yield objects
                if on_bytes:
                    on_bytes(stream.offset)
                if not data:
                    return
            stream.check_tail(file.read(chunk))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error


class _Stream:
    """What has been read and not yet parsed, and where in the file it lies."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.buffer = b""
        self.offset = 0  # of buffer[0] in the file
        self.count = 0
        self.started = False
        self.closed = False  # the array's ] has been read
        self.in_array = False
        self.wants_object = True  # an object must come next: after [ and after a comma

    def take(self, *, at_end: bool) -> list[Object]:
        """Parse all whole objects in the buffer and drop them from it."""
        if not self.started and not self._start(at_end=at_end):
            return []
        objects = self._take_piece()
        objects += self._scan(at_end=at_end) if not objects or at_end else []
        return objects

    def check_tail(self, data: bytes) -> None:
        """Refuse anything but space after the array."""
        rest = (self.buffer + data).strip()
        if rest:
            raise self._malformed(0, "something follows the end of the array")

    def _start(self, *, at_end: bool) -> bool:
        if len(self.buffer) < len(_BOM) and not at_end:
            return False
        if self.buffer.startswith(_BOM):
            self._drop(len(_BOM))
        self._drop(self._skip_space(0))
        if not self.buffer:
            if at_end:
                raise UserError(f"{self.path} is empty.", "Give a works.json file.")
            return False
        if self.buffer[:1] not in (b"[", b"{"):
            raise self._malformed(0, "neither [ nor { begins it")
        self.in_array = self.buffer[:1] == b"["
        self._drop(1 if self.in_array else 0)
        self.started = True
        return True

    def _take_piece(self) -> list[Object]:
        """The fast way: all objects up to the last separator, in one call to orjson.

        JSON has one reading from left to right. So if everything up to a comma parses as
        a list, that comma stood between two objects and not inside a string.
        """
        if not self.wants_object:
            return []
        cut = self.buffer.rfind(b"},") + 1 if self.in_array else self.buffer.rfind(b"\n")
        if cut <= 0:
            return []
        body = self.buffer[:cut]
        lines = 0
        if not self.in_array:
            rows = [row for row in body.split(b"\n") if row and not row.isspace()]
            lines = len(rows)
            body = b",".join(rows)
        try:
            objects = orjson.loads(b"[" + body + b"]")
        except orjson.JSONDecodeError:
            return []
        if set(map(type, objects)) != {dict} or (lines and lines != len(objects)):
            return []
        self.count += len(objects)
        self._drop(cut + 1)
        return cast("list[Object]", objects)

    def _scan(self, *, at_end: bool) -> list[Object]:
        """The careful way: one object after another."""
        objects: list[Object] = []
        at = 0
        while True:
            at = self._skip_space(at)
            byte = self.buffer[at : at + 1]
            if not byte:
                break
            if byte == b"{" and (self.wants_object or not self.in_array):
                end = self._object_end(at)
                if not end:
                    self._check_unfinished(at, at_end=at_end)
                    break
                objects.append(self._parse(at, end))
                self.count += 1
                self.wants_object = not self.in_array
                at = end
            elif byte == b"," and self.in_array and not self.wants_object:
                self.wants_object = True
                at += 1
            elif byte == b"]" and self.in_array and not (self.wants_object and self.count):
                self.closed = True
                at += 1
                break
            else:
                raise self._malformed(at, "a work should begin or end here")
        self._drop(at)
        if at_end and self.in_array and not self.closed:
            raise self._truncated()
        return objects

    def _object_end(self, start: int) -> int:
        """The place after the object that begins at ``start``; 0 if it is not all here."""
        depth = 0
        for token in _STRING_OR_BRACE.finditer(self.buffer, start):
            first = self.buffer[token.start()]
            if first == 0x7B:
                depth += 1
            elif first == 0x7D:
                depth -= 1
                if not depth:
                    return token.end()
            elif not token[1]:
                return 0
        return 0

    def _parse(self, start: int, end: int) -> Object:
        data = self.buffer[start:end]
        try:
            item: Object = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise self._explain(start, data, error) from error
        return item

    def _check_unfinished(self, start: int, *, at_end: bool) -> None:
        """Raise if the rest of the object that begins at ``start`` can never come."""
        if not at_end and len(self.buffer) - start < _LONGEST_OBJECT:
            return
        data = self.buffer[start:]
        try:
            orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise self._explain(start, data, error) from error

    def _explain(self, start: int, data: bytes, error: orjson.JSONDecodeError) -> UserError:
        try:
            at = len(data.decode()[: error.pos].encode())
        except UnicodeDecodeError as wrong:
            if wrong.reason == "unexpected end of data":
                return self._truncated()
            return UserError(
                f"{self.path} is not UTF-8 at byte {self.offset + start + wrong.start:,}; "
                f"{self.count:,} works were read before it.",
                "Save the file as UTF-8.",
            )
        if error.msg.startswith("unexpected end of data"):
            return self._truncated()
        return self._malformed(start + at, error.msg.partition(":")[0])

    def _malformed(self, at: int, reason: str) -> UserError:
        return UserError(
            f"{self.path} is not well-formed JSON at byte {self.offset + at:,} ({reason}); "
            f"{self.count:,} works were read before it.",
            "Mend the file or fetch it again.",
        )

    def _truncated(self) -> UserError:
        return UserError(
            f"{self.path} is cut short: it ends at byte {self.offset + len(self.buffer):,} in the "
            f"middle of the list; {self.count:,} works were read before that.",
            "Fetch the file again.",
        )

    def _skip_space(self, at: int) -> int:
        match = _SPACE.match(self.buffer, at)
        return match.end() if match else at

    def _drop(self, count: int) -> None:
        self.buffer = self.buffer[count:]
        self.offset += count
