"""The CSV of a batch, which is also its memory of what is done."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from img2poem.errors import UserError
from img2poem.files import as_utf8, held_alone, sync
from img2poem.pipeline.begun_with import check, note
from img2poem.pipeline.results import CSV_HEADER

BOM = "\ufeff"
_OTHER_FILE = "Choose another file with -o, or overwrite it with --restart."
_MEND = "Mend it, choose another file with -o, or overwrite it with --restart."
# A spreadsheet runs a cell that begins with one of these (OWASP, "CSV Injection").
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


class Ledger:
    """Appends rows to a CSV so that a killed run leaves only whole rows behind.

    Rows are written and synced to disk a batch at a time. A row torn by a kill or a full
    disk is cut off when the file is opened again. A photo that failed is tried again by the
    next run; of two rows of a photo the later one counts, and ``settle`` drops the earlier.
    """

    def __init__(
        self,
        path: Path,
        stream: io.FileIO,
        rows: list[dict[str, str]],
        begun_with: Mapping[str, str],
        *,
        bom: bool,
    ) -> None:
        self.path = path
        self._bom = bom
        self._rows = {row["file"]: row for row in rows}
        self._stream = stream
        self._header = b""  # still to be written
        self._begun_with = begun_with  # still to be noted

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        restart: bool = False,
        bom: bool = False,
        begun_with: Mapping[str, str] | None = None,
    ) -> Ledger:
        """Open a batch's CSV, going on from the whole rows it has.

        Args:
            path: the CSV; made if missing.
            restart: start over.
            bom: have it begin with a byte-order mark.
            begun_with: see ``begun_with.check``.

        Raises:
            UserError: it cannot be written, it is not a CSV of ``batch``, a row in it is
                damaged, it was begun with something else, or another run is writing it.
        """
        try:
            path = _place(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            # Unbuffered: after a failed write nothing must be left to fail again on closing.
            stream = path.open("r+b" if path.exists() else "x+b", buffering=0)
        except OSError as error:
            raise _cannot_write(path, error) from error
        try:
            if not held_alone(stream):
                raise UserError(
                    f"Another img2poem batch is writing {path}.",
                    "Wait until it is done, or choose another file with -o.",
                )
            rows, whole = ([], 0) if restart else _whole_rows(path)
            if rows:
                check(path, begun_with or {})
            ledger = cls(path, stream, rows, begun_with or {}, bom=bom)
            if not whole:
                ledger._header = (BOM.encode() if bom else b"") + _line(CSV_HEADER)
            if not restart:
                ledger._begin_at(whole)
        except OSError as error:
            stream.close()
            raise _cannot_write(path, error) from error
        except UserError:
            stream.close()
            raise
        return ledger

    def has(self, file: str) -> bool:
        """Whether a photo has its row, and not one with an error."""
        row = self._rows.get(_safe(file))
        return row is not None and not row["error"]

    def failed(self, files: Sequence[str]) -> int:
        """How many of these photos have a row with an error."""
        rows = (self._rows.get(_safe(file)) for file in files)
        return sum(1 for row in rows if row and row["error"])

    def verses(self) -> set[str]:
        """The verses already given."""
        return {row["verse"] for row in self._rows.values() if row["verse"]}

    def write(self, rows: Sequence[dict[str, str]]) -> None:
        """Append rows; they are on disk when this returns. Raises UserError.

        To start over, what stood in the file goes only now: until then a model may be missing.
        """
        safe = [{key: _safe(row[key]) for key in CSV_HEADER} for row in rows]
        try:
            if self._begun_with:
                note(self.path, self._begun_with)
                self._begun_with = {}
            if self._header:
                self._begin_at(0)
            self._append(b"".join(_line(list(row.values())) for row in safe))
        except OSError as error:
            raise _cannot_write(self.path, error) from error
        self._rows |= {row["file"]: row for row in safe}

    def settle(self, order: Sequence[str]) -> None:
        """Put the rows into path order, one a photo, if they are not.

        They are not where photos were added to the folder, or had failed, between two runs.
        This ends the writing. Raises UserError.
        """
        self._stream.close()  # Windows replaces no file that is open
        rows, _ = _whole_rows(self.path)
        place = {_safe(name): number for number, name in enumerate(order)}
        ordered = sorted(
            {row["file"]: row for row in rows}.values(),
            key=lambda row: place.get(row["file"], len(place)),
        )
        with self.path.open("rb") as file:
            marked = file.read(3) == BOM.encode()
        if ordered == rows and (marked or not self._bom):
            return
        mark = BOM.encode() if marked or self._bom else b""
        lines = [_line([row[key] for key in CSV_HEADER]) for row in ordered]
        beside = self.path.with_name(self.path.name + ".partial")
        try:
            beside.write_bytes(mark + _line(CSV_HEADER) + b"".join(lines))
            sync(beside)
            beside.replace(self.path)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise _cannot_write(self.path, error) from error

    def _begin_at(self, offset: int) -> None:
        self._stream.truncate(offset)
        self._stream.seek(offset)
        if self._header:
            self._append(self._header)
            self._header = b""

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


def _place(path: Path) -> Path:
    """The file itself, behind links: a link must not be replaced by a file."""
    place = Path(os.path.realpath(path)) if path.is_symlink() else path
    if str(path) == "-" or (place.exists() and not place.is_file()):
        what = "is a folder" if place.is_dir() else "is no file"
        raise UserError(
            f"{path} {what}; rows are added to a CSV and read again.",
            "Name a file: -o poems.csv",
        )
    return place


def _whole_rows(path: Path) -> tuple[list[dict[str, str]], int]:
    """The complete rows of a CSV and how many bytes they and the header take."""
    raw = path.read_bytes()
    rows: list[dict[str, str]] = []
    whole = 0
    header: list[str] | None = None
    for record, end in _records(raw):
        try:
            line = record.decode()
        except UnicodeDecodeError as error:
            raise UserError(
                f"{path} is no longer UTF-8; another program has saved it.", _OTHER_FILE
            ) from error
        try:
            cells = next(csv.reader(io.StringIO(line.lstrip(BOM), newline="")), [])
        except csv.Error as error:  # a cell of more than 131,072 characters
            number = _line_number(raw, end - len(record))
            raise UserError(f"Line {number} of {path}: {error}.", _OTHER_FILE) from error
        if header is None:
            header = cells
            if tuple(header) != CSV_HEADER:
                raise _not_ours(path)
        elif len(cells) == len(CSV_HEADER):
            rows.append(dict(zip(CSV_HEADER, cells, strict=True)))
        elif cells:
            number = _line_number(raw, end - len(record))
            raise UserError(
                f"Line {number} of {path} has {len(cells)} cells, not {len(CSV_HEADER)}.",
                _MEND,
            )
        whole = end
    # A torn row ends in no line break; one that swallows lines has lost a quotation mark.
    if header is not None and (b"\r\n" if b"\r\n" in raw[:whole] else b"\n") in raw[whole:]:
        number = _line_number(raw, whole)
        raise UserError(
            f"Line {number} of {path} has a quotation mark that is never closed.",
            _MEND,
        )
    if raw and header is None and not _header_bytes().startswith(raw.removeprefix(BOM.encode())):
        raise _not_ours(path)
    return rows, whole


def _line_number(raw: bytes, offset: int) -> int:
    return raw[:offset].count(b"\n") + 1


def _records(raw: bytes) -> Sequence[tuple[bytes, int]]:
    """CSV records that end in a line break, each with the offset of its end."""
    records = []
    start, quoted = 0, False
    for position, byte in enumerate(raw):
        if byte == 0x22:
            quoted = not quoted
        elif byte == 0x0A and not quoted:
            records.append((raw[start : position + 1], position + 1))
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
    cell = as_utf8(cell)
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _not_ours(path: Path) -> UserError:
    return UserError(f"{path} exists and is not a CSV of img2poem batch.", _OTHER_FILE)


def _cannot_write(path: Path, error: OSError) -> UserError:
    return UserError(
        f"{path} cannot be written ({error.strerror or error}).",
        "Free some space or choose another place with -o, then run the same command again: "
        "it goes on where it stopped.",
    )
