"""A folder of photos to rows: read ahead, map in batches, write each row as it is done."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from img2poem.errors import UserError
from img2poem.models.base import Description, Photo
from img2poem.models.endpoint import EndpointError
from img2poem.pipeline.asking import Ask
from img2poem.pipeline.ledger import Ledger
from img2poem.pipeline.named import named
from img2poem.pipeline.photo import looks_like_photo
from img2poem.pipeline.pipeline import Pipeline
from img2poem.pipeline.results import Match, Result, csv_row, error_row
from img2poem.pipeline.retrieve import check_filter

if TYPE_CHECKING:
    from img2poem.index.store import Filter

BATCH = 16
UNIQUE_DEPTH = 30  # how many verses a photo may choose from with ``unique``
# Each holds one photo at full size, which a large PNG makes a hundred megabytes.
_DECODERS = 3
# What an endpoint says of a photo that it will not take: too large, of a kind it does not
# know, against its rules. Other errors are about the key, the model or the endpoint.
_REFUSED = frozenset({400, 413, 415, 422})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a batch did.

    Attributes:
        photos: photos in the folder.
        resumed: photos that had their row from an earlier run, without an error.
        written: rows written by this run.
        failed: photos of the folder whose row is an error.
    """

    photos: int
    resumed: int
    written: int
    failed: int


def find_photos(folder: Path, notice: Callable[[str], None] | None = None) -> list[Path]:
    """Every photo under a folder, in path order; hidden files and folders are left out.

    Args:
        folder: searched recursively; links to folders are not followed.
        notice: told of a folder that may not be read, and of a link to one.

    Raises:
        UserError: no such folder, or no photo in it.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder.", f"For one photo: img2poem query {folder}")

    def unread(error: OSError) -> None:
        if notice:
            notice(f"{error.filename} is left out: {error.strerror}.")

    photos = []
    for place, folders, files in os.walk(folder, onerror=unread):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for link in (Path(place, name) for name in folders if Path(place, name).is_symlink()):
            if notice:
                notice(f"{link} is left out: it is a link to a folder.")
        paths = [Path(place, name) for name in files if not name.startswith(".")]
        photos += [path for path in paths if looks_like_photo(path)]
    photos.sort()
    if not photos:
        raise UserError(f"There is no photo under {folder}.", "Give a folder that holds some.")
    return photos


def run_batch(
    pipeline: Pipeline,
    folder: Path,
    output: Path,
    *,
    text: str = "",
    where: Filter | None = None,
    unique: bool = False,
    restart: bool = False,
    bom: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Give every photo under a folder its verse, a CSV row each, in path order.

    Each row is on disk before the next batch begins; a run that was killed goes on where it
    stopped, and tries photos that failed again. Memory holds three batches of scaled-down
    photos, whatever the folder's size.

    Args:
        pipeline: describes and finds.
        folder: searched recursively.
        output: the CSV.
        text: words added to every photo.
        where: author, dynasty and kind the verses must have.
        unique: give no verse twice while another good one is left.
        restart: start over instead of going on.
        bom: begin the CSV with a byte-order mark, for spreadsheets that need one.
        progress: told (rows done, photos).

    Raises:
        UserError: nothing to do, a poet no corpus has, or the CSV cannot be written or is of
            something else, or was begun with another folder or other words.
    """
    photos = find_photos(folder, pipeline.reporter.notice)
    _ = pipeline.photo_side  # the models behind it load here, not on every decoding thread
    if text:
        from img2poem.index.store import Filter

        where, text = pipeline.only_poet(where or Filter(), text, photo=True)
    if where:
        check_filter(pipeline.indexes, named(pipeline.indexes, where))
    begun_with = {
        "the folder": str(folder.resolve()),
        "--text": text,
        "--author": where.author if where else "",
        "--dynasty": where.dynasty if where else "",
        "--kind": where.kind if where else "",
        "--corpus": ",".join(pipeline.settings.corpus),
    }
    with Ledger.open(output, restart=restart, bom=bom, begun_with=begun_with) as ledger:
        used = ledger.verses() if unique else set()
        names = {path: path.relative_to(folder).as_posix() for path in photos}
        waiting = [path for path in photos if not ledger.has(names[path])]
        done = resumed = len(photos) - len(waiting)
        for chunk in _read_ahead(waiting, pipeline.open_photo):
            rows = _rows(pipeline, names, chunk, text, where, used if unique else None)
            ledger.write(rows)
            done += len(rows)
            if progress:
                progress(done, len(photos))
        ledger.settle([names[path] for path in photos])
        failed = ledger.failed(list(names.values()))
    return Outcome(len(photos), resumed, len(waiting), failed)


Opened = tuple[Path, Photo | UserError]


def _read_ahead(paths: Sequence[Path], opener: Callable[[Path], Photo]) -> Iterator[list[Opened]]:
    """Decode on threads while the model works: one batch with it, at most two ahead."""

    def attempt(path: Path) -> Opened:
        try:
            return path, opener(path)
        except UserError as error:
            return path, error

    pool = ThreadPoolExecutor(_DECODERS, thread_name_prefix="decode")
    try:
        chunks = (paths[i : i + BATCH] for i in range(0, len(paths), BATCH))
        ahead: list[list[Future[Opened]]] = [
            [pool.submit(attempt, path) for path in chunk] for chunk in islice(chunks, 2)
        ]
        while ahead:
            current = ahead.pop(0)
            opened = [future.result() for future in current]
            chunk = next(chunks, None)
            if chunk is not None:
                ahead.append([pool.submit(attempt, path) for path in chunk])
            yield opened
    finally:  # whoever interrupts a batch waits for no photo that nobody wants any more
        pool.shutdown(cancel_futures=True)


def _rows(
    pipeline: Pipeline,
    names: dict[Path, str],
    opened: Sequence[Opened],
    text: str,
    where: Filter | None,
    used: set[str] | None,
) -> list[dict[str, str]]:
    """One batch's rows, in order."""
    good = [(path, photo) for path, photo in opened if isinstance(photo, Photo)]
    failed = {path: photo for path, photo in opened if isinstance(photo, UserError)}
    results: dict[Path, Result] = {}
    if good:
        described = _describe(pipeline, [photo for _, photo in good])
        asks: dict[Path, Ask] = {}
        for (path, photo), seen in zip(good, described, strict=True):
            if isinstance(seen, UserError):
                failed[path] = seen
            else:
                asks[path] = Ask(text, photo, seen)
        if asks:
            k = 1 if used is None else UNIQUE_DEPTH
            answers = pipeline.answer(list(asks.values()), k=k, where=where)
            results = dict(zip(asks, answers, strict=True))
    rows = []
    for path, _ in opened:
        if path in failed:
            rows.append(error_row(names[path], failed[path].problem))
        else:
            result = results[path]
            rows.append(csv_row(names[path], result, _choose(result, used)))
    return rows


def _describe(pipeline: Pipeline, photos: Sequence[Photo]) -> list[Description | UserError | None]:
    """A description of each photo (None: the embedder sees it), or why an endpoint refused it.

    Raises:
        UserError: no photo can be described; to go on would give them all the same error.
    """
    try:
        return list(pipeline.describe(photos))
    except EndpointError as error:
        if error.status not in _REFUSED:
            raise
        if len(photos) == 1:
            return [error]
    return [seen for photo in photos for seen in _describe(pipeline, [photo])]


def _choose(result: Result, used: set[str] | None) -> Match | None:
    """The best match; with ``used``, the best not given yet while one that is close is left."""
    if not result.matches:
        return None
    if used is None:
        return result.matches[0]
    floor = min(result.min_score, result.matches[0].score)
    fresh = (m for m in result.matches if m.verse.text not in used and m.score >= floor)
    chosen = next(fresh, result.matches[0])
    used.add(chosen.verse.text)
    return chosen


def summary(outcome: Outcome, output: Path) -> list[tuple[str, Any]]:
    """An outcome as rows to print."""
    return [
        ("photos", outcome.photos),
        ("done earlier", outcome.resumed),
        ("written now", outcome.written),
        ("could not be read", outcome.failed),
        ("CSV", output),
    ]
