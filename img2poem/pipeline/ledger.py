"""The CSV of a batch, which is also its memory of what is done."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from img2poem.errors import UserError
from img2poem.files import sync
from img2poem.pipeline.results import CSV_HEADER

BOM = "\ufeff"
# A spreadsheet runs a cell that begins with one of these (OWASP, "CSV Injection").
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


class Ledger:
    """Appends rows to a CSV so that a killed run leaves only whole rows behind.

    Rows are written and synced to disk a batch at a time. A row torn by a kill or a full
    disk is cut off when the file is opened again.
    """

    def __init__(self, path: Path, stream: io.FileIO, rows: list[dict[str, str]]) -> None:
        self.path = path
        self._done = {row["file"] for row in rows}
        self._rows_before = rows
        self._failed = sum(1 for row in rows if row["error"])
        self._stream = stream

    @classmethod
    def open(cls, path: Path, *, restart: bool = False, bom: bool = False) -> Ledger:
        """Open a batch's CSV, going on from the whole rows it has.

        Raises:
            UserError: it cannot be written, or it is not a CSV of ``batch``.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            rows: list[dict[str, str]] = []
            whole = 0
            if path.exists() and not restart:
                rows, whole = _whole_rows(path)
            # Unbuffered: after a failed write nothing must be left to fail again on closing.
            stream = path.open("r+b" if whole else "wb", buffering=0)
            stream.truncate(whole)
            stream.seek(whole)
            ledger = cls(path, stream, rows)
            if not whole:
                mark = BOM.encode() if bom else b""
                ledger._append(mark + _line(CSV_HEADER))
        except OSError as error:
            raise _cannot_write(path, error) from error
        return ledger

    def has(self, file: str) -> bool:
        """Whether a photo has its row."""
        return _safe(file) in self._done

    @property
    def failed(self) -> int:
        """How many photos have a row with an error."""
        return self._failed

    def verses(self) -> set[str]:
        """The verses already given."""
        return {row["verse"] for row in self._rows_before if row["verse"]}

    def write(self, rows: Sequence[dict[str, str]]) -> None:
        """Append rows; they are on disk when this returns. Raises UserError."""
        try:
            self._append(b"".join(_line([_safe(row[key]) for key in CSV_HEADER]) for row in rows))
        except OSError as error:
            raise _cannot_write(self.path, error) from error
        self._done.update(_safe(row["file"]) for row in rows)
        self._failed += sum(1 for row in rows if row["error"])

    def settle(self, order: Sequence[str]) -> None:
        """Put the rows into path order if photos were added to the folder between two runs.

        This ends the writing. Raises UserError.
        """
        self._stream.close()  # Windows replaces no file that is open
        rows, _ = _whole_rows(self.path)
        place = {_safe(name): number for number, name in enumerate(order)}
        ranks = [place.get(row["file"], len(place)) for row in rows]
        if ranks == sorted(ranks):
            return
        ordered = [
            row for _, row in sorted(zip(ranks, rows, strict=True), key=lambda pair: pair[0])
        ]
        begins = self.path.read_bytes()[:3]
        mark = BOM.encode() if begins == BOM.encode() else b""
        lines = [_line([row[key] for key in CSV_HEADER]) for row in ordered]
        beside = self.path.with_name(self.path.name + ".partial")
        try:
            beside.write_bytes(mark + _line(CSV_HEADER) + b"".join(lines))
            sync(beside)
            beside.replace(self.path)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise _cannot_write(self.path, error) from error

    def _append(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._stream.write(rest) :]
        os.fsync(self._stream.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.close()


def _whole_rows(path: Path) -> tuple[list[dict[str, str]], int]:
    """The complete rows of a CSV and how many bytes they and the header take."""
    raw = path.read_bytes()
    rows: list[dict[str, str]] = []
    whole = 0
    header: list[str] | None = None
    for line, end in _records(raw):
        cells = next(csv.reader(io.StringIO(line.lstrip(BOM), newline="")), [])
        if header is None:
            header = cells
            if tuple(header) != CSV_HEADER:
                raise UserError(
                    f"{path} exists and is not a CSV of img2poem batch.",
                    "Choose another file with -o, or overwrite it with --restart.",
                )
        elif len(cells) == len(CSV_HEADER):
            rows.append(dict(zip(CSV_HEADER, cells, strict=True)))
        else:
            break
        whole = end
    if raw and header is None and not _header_bytes().startswith(raw.removeprefix(BOM.encode())):
        raise UserError(
            f"{path} exists and is not a CSV of img2poem batch.",
            "Choose another file with -o, or overwrite it with --restart.",
        )
    return rows, whole


def _records(raw: bytes) -> Sequence[tuple[str, int]]:
    """CSV records that end in a line break, each with the offset of its end."""
    records = []
    start, quoted = 0, False
    for position, byte in enumerate(raw):
        if byte == 0x22:
            quoted = not quoted
        elif byte == 0x0A and not quoted:
            records.append((raw[start : position + 1].decode("utf-8", "replace"), position + 1))
            start = position + 1
    return records


def _header_bytes() -> bytes:
    return _line(CSV_HEADER)


def _line(cells: Sequence[str]) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue().encode()


def _safe(cell: str) -> str:
    """A cell that is UTF-8, whatever bytes a file name has, and that no spreadsheet runs.

    A quote before what begins like a formula, and before such a quote too: two names of
    files never become one.
    """
    cell = cell.encode(errors="backslashreplace").decode()
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _cannot_write(path: Path, error: OSError) -> UserError:
    return UserError(
        f"{path} cannot be written ({error.strerror or error}).",
        "Free some space or choose another place with -o, then run the same command again: "
        "it goes on where it stopped.",
    )
