"""Verses on disk: one file, column by column, read through a memory map.

Layout, little-endian: the magic ``I2PVERSE``, the header's length as uint32, the header,
then the arrays, each at a multiple of eight bytes from the header's end. The header is
JSON: ``{"count": verses, "arrays": {name: [offset, bytes]}}``. Arrays by column:

- text, translation, traditional, occasions: ``<column>.ends`` uint64 (count,), where each
  string ends in ``<column>.utf8``. Both are missing if every string of the column is empty.
- title, author, dynasty, kind: ``<column>.codes`` uint32 (count,), the place of each
  string in the dictionary ``<column>.ends`` and ``<column>.utf8``.
- work_id, line_no: ``<column>.int64`` (count,).
"""

from __future__ import annotations

import json
import mmap
import shutil
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any, Literal

from img2poem.corpus.verse import Verse

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Coded = Literal["title", "author", "dynasty", "kind"]

_MAGIC = b"I2PVERSE"
_FREE = ("text", "translation", "traditional", "occasions")
_CODED = ("title", "author", "dynasty", "kind")
_NUMBERS = ("work_id", "line_no")


def write_verses(verses: Iterable[Verse], path: Path) -> int:
    """Write verses to a new file; return how many. Raises OSError."""
    with ExitStack() as stack:
        folder = path.parent
        free = {name: _Strings(stack.enter_context(TemporaryFile(dir=folder))) for name in _FREE}
        coded = {name: _Coded() for name in _CODED}
        numbers = {name: array("q") for name in _NUMBERS}
        count = 0
        for verse in verses:
            for name, strings in free.items():
                strings.add(getattr(verse, name))
            for name, codes in coded.items():
                codes.add(getattr(verse, name))
            for name, values in numbers.items():
                values.append(getattr(verse, name))
            count += 1
        blocks: dict[str, bytes | IO[bytes]] = {}
        for name, strings in free.items():
            if strings.end:
                blocks |= {f"{name}.ends": _little(strings.ends), f"{name}.utf8": strings.file}
        for name, codes in coded.items():
            ends, text = codes.dictionary()
            blocks |= {f"{name}.codes": _little(codes.codes)}
            blocks |= {f"{name}.ends": _little(ends), f"{name}.utf8": text}
        for name, values in numbers.items():
            blocks[f"{name}.int64"] = _little(values)
        with path.open("wb") as file:
            _write_blocks(file, count, blocks)
    return count


class VerseTable:
    """The verses of a file that ``write_verses`` wrote.

    Raises:
        ValueError, OSError: the file is damaged or cannot be read.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if self._map[:8] != _MAGIC:
            raise ValueError(f"{path} is not a file of verses")
        self._base = 12 + int.from_bytes(self._map[8:12], "little")
        header = json.loads(self._map[12 : self._base])
        self._count: int = header["count"]
        self._arrays: dict[str, list[int]] = header["arrays"]
        if any(self._base + at + size > len(self._map) for at, size in self._arrays.values()):
            raise ValueError(f"{path} is cut short")
        self._column = cache(self._read_column)
        self._names = cache(self._read_names)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, place: int) -> Verse:
        if not 0 <= place < self._count:
            raise IndexError(place)
        return Verse(
            text=self.text("text", place),
            translation=self.text("translation", place),
            title=self._coded("title", place),
            author=self._coded("author", place),
            dynasty=self._coded("dynasty", place),
            kind=self._coded("kind", place),
            work_id=int(self._column("work_id.int64", "<i8")[place]),
            line_no=int(self._column("line_no.int64", "<i8")[place]),
            traditional=self.text("traditional", place),
            occasions=self.text("occasions", place),
        )

    def text(self, column: str, place: int) -> str:
        """One string of the column text, translation, traditional or occasions."""
        if f"{column}.ends" not in self._arrays:
            return ""
        return self._string(column, place)

    def column(self, name: str) -> list[str]:
        """All strings of the column text, translation, traditional or occasions; none if all
        are empty."""
        if f"{name}.ends" not in self._arrays:
            return []
        at = self._base + self._arrays[f"{name}.utf8"][0]
        ends = [0, *self._column(f"{name}.ends", "<u8").tolist()]
        return [self._map[at + a : at + b].decode() for a, b in pairwise(ends)]

    def places(self, part: str) -> Iterator[int]:
        """Where verses stand whose text contains a string, in order, by a scan of the column."""
        import numpy as np

        if "text.ends" not in self._arrays or not part:
            return
        needle, ends = part.encode(), self._column("text.ends", "<u8")
        offset, size = self._arrays["text.utf8"]
        begin = self._base + offset
        hit = self._map.find(needle, begin, begin + size)
        while hit >= 0:
            place = int(np.searchsorted(ends, hit - begin, side="right"))
            after = hit - begin + 1
            if hit - begin + len(needle) <= ends[place]:  # not across two verses
                yield place
                after = int(ends[place])
            hit = self._map.find(needle, begin + after, begin + size)

    def names(self, column: Coded) -> Sequence[str]:
        """The different strings of a column, in order of first appearance."""
        return self._names(column)

    def having(self, column: Coded, name: str) -> npt.NDArray[np.bool_]:
        """Which verses have a name in a column: bool (count,)."""
        names = self.names(column)
        code = names.index(name) if name in names else len(names)
        mask: npt.NDArray[np.bool_] = self._column(f"{column}.codes", "<u4") == code
        return mask

    def _coded(self, column: str, place: int) -> str:
        return self._string(column, int(self._column(f"{column}.codes", "<u4")[place]))

    def _string(self, column: str, place: int) -> str:
        ends = self._column(f"{column}.ends", "<u8")
        start = int(ends[place - 1]) if place else 0
        at = self._base + self._arrays[f"{column}.utf8"][0]
        return self._map[at + start : at + int(ends[place])].decode()

    def _read_names(self, column: str) -> Sequence[str]:
        return [
            self._string(column, code) for code in range(len(self._column(f"{column}.ends", "<u8")))
        ]

    def _read_column(self, name: str, dtype: str) -> Any:
        import numpy as np

        at, size = self._arrays[name]
        count = size // np.dtype(dtype).itemsize
        return np.frombuffer(self._map, dtype=dtype, count=count, offset=self._base + at)


class _Strings:
    """A column of strings on its way to disk."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.ends = array("Q")
        self.end = 0

    def add(self, text: str) -> None:
        self.end += self.file.write(text.encode())
        self.ends.append(self.end)


class _Coded:
    """A column of few different strings: a code for each row, and the strings once."""

    def __init__(self) -> None:
        self.codes = array("I")
        self._places: dict[str, int] = {}

    def add(self, text: str) -> None:
        self.codes.append(self._places.setdefault(text, len(self._places)))

    def dictionary(self) -> tuple[array[int], bytes]:
        ends, parts, end = array("Q"), [], 0
        for text in self._places:
            parts.append(text.encode())
            end += len(parts[-1])
            ends.append(end)
        return ends, b"".join(parts)


def _little(values: array[int]) -> bytes:
    if sys.byteorder == "big":
        values = values[:]
        values.byteswap()
    return values.tobytes()


def _write_blocks(file: IO[bytes], count: int, blocks: dict[str, bytes | IO[bytes]]) -> None:
    arrays, at = {}, 0
    for name, block in blocks.items():
        size = len(block) if isinstance(block, bytes) else block.tell()
        arrays[name] = [at, size]
        at += size + -size % 8
    header = json.dumps({"count": count, "arrays": arrays}).encode()
    header += b" " * (-(12 + len(header)) % 8)
    file.write(_MAGIC + len(header).to_bytes(4, "little") + header)
    for name, block in blocks.items():
        if isinstance(block, bytes):
            file.write(block)
        else:
            block.seek(0)
            shutil.copyfileobj(block, file)
        file.write(bytes(-arrays[name][1] % 8))
