"""Verses to an index folder: encode, compress, check, and put in place in one step."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from img2poem.corpus.jsonl import read_verses
from img2poem.corpus.verse import Verse
from img2poem.errors import UserError
from img2poem.files import exclusive, storage_error
from img2poem.index.encode import ENCODING, embedded_column, encode
from img2poem.index.manifest import (
    FORMAT,
    MANIFEST,
    VECTORS,
    VERSES,
    Manifest,
    describe_file,
    sha256,
)
from img2poem.index.place import put_in_place, refuse_foreign, settle
from img2poem.index.quantise import (
    Exam,
    Plan,
    choose_nprobe,
    exact_tenth,
    faiss,
    new_index,
    plan_for,
)
from img2poem.index.verses import VerseTable, write_verses

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

    from img2poem.models.base import Embedder

Progress = Callable[[int, int], None]

_BATCH = 512  # texts encoded at a time; what an interrupted build may lose
_BLOCK = 65_536  # vectors read at a time
_EXAM_QUERIES = 200


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What ``build_index`` did.

    Attributes:
        status: "built", or "exists" if the same index was there.
        folder: the index.
        manifest: of the index.
        resumed: verses that an interrupted build had encoded already.
        seconds: how long it took.
    """

    status: Literal["built", "exists"]
    folder: Path
    manifest: Manifest
    resumed: int
    seconds: float

    def rows(self) -> list[tuple[str, str]]:
        """The report as (label, value), to be printed."""
        index = self.manifest
        size = index.files[VECTORS]["bytes"]
        share = size / (4 * index.dim * index.count)
        rows = [
            (
                "status",
                self.status if self.status == "built" else "already there; --force rebuilds",
            ),
            ("folder", str(self.folder)),
            ("verses", f"{index.count:,}"),
            ("embedder", f"{index.embedder} ({index.fingerprint[:8]})"),
            ("index", f"{index.factory}, {size / 1e6:,.1f} MB ({share:.0%} of float32)"),
            (
                "recall@10 against Flat",
                f"{index.recall_at_10:.4f}" if index.nprobe else "1 (exact)",
            ),
        ]
        if self.status == "built":
            resumed = f", {self.resumed:,} verses resumed" if self.resumed else ""
            rows.append(("time", f"{self.seconds:.1f} s{resumed}"))
        return rows


def build_index(
    verses: Iterable[Verse] | Path,
    folder: Path,
    embedder: Embedder,
    *,
    corpus: str,
    force: bool = False,
    progress: Progress | None = None,
    notice: Callable[[str], None] | None = None,
) -> BuildReport:
    """Build an index, or go on with one that was interrupted.

    Vectors gather in a folder beside ``folder``; that folder is renamed when all is
    written. Until then an index that stood there stays as it was.

    Args:
        verses: the verses, or the corpus file that holds them.
        folder: where the index goes.
        embedder: encodes the verses, 512 at a time.
        corpus: ct embeds translations, with occasions, and leaves out verses that have none;
            the others embed the text.
        force: rebuild also if the same index is there.
        progress: called with (verses encoded, verses in all).
        notice: told, in one sentence, that another process is building this index.

    Raises:
        UserError: no verse to index, a damaged corpus file, or a disk that is full or
            read-only; what was encoded is kept for the next run.
    """
    begun = time.monotonic()
    rows = read_verses(verses) if isinstance(verses, Path) else iter(verses)
    work = folder.with_name(f".{folder.name}.partial")

    def waiting() -> None:
        if notice:
            notice(f"another img2poem is building {folder}; waiting until it is done.")

    try:
        with exclusive(folder.with_name(f".{folder.name}.lock"), waiting):
            refuse_foreign(folder)
            settle(folder)
            work.mkdir(exist_ok=True)
            _write_corpus(rows, work, corpus)
            source = sha256(work / VERSES)
            there = None if force else _same(folder, corpus, source, embedder)
            if there:
                shutil.rmtree(work)
                (folder / MANIFEST).touch()  # newer than its corpus again
                return BuildReport("exists", folder, there, 0, time.monotonic() - begun)
            table = VerseTable(work / VERSES)
            plan = plan_for(len(table), embedder.dim)
            raw, resumed = _encode(table, work, source, embedder, corpus, plan, progress)
            manifest = _assemble(table, raw, work, source, embedder, corpus, plan)
            put_in_place(work, folder)
            return BuildReport("built", folder, manifest, resumed, time.monotonic() - begun)
    except OSError as error:
        raise storage_error(error, folder.parent) from error


def _write_corpus(verses: Iterator[Verse], work: Path, corpus: str) -> None:
    if corpus == "ct":
        verses = (verse for verse in verses if verse.translation)
    if not write_verses(verses, work / VERSES):
        shutil.rmtree(work)
        what = "no verse with a translation" if corpus == "ct" else "no verse"
        raise UserError(
            f"The corpus {corpus} has {what} to index.",
            "Prepare one that has: img2poem prepare WORKS",
        )


def _same(folder: Path, corpus: str, source: str, embedder: Embedder) -> Manifest | None:
    """The manifest of the index that is there, if building would give the same again."""
    try:
        manifest = Manifest.read(folder)
        manifest.check_files(folder, thorough=False)
    except UserError:
        return None
    there = (manifest.corpus, manifest.corpus_sha256, manifest.fingerprint, manifest.encoding)
    return manifest if there == (corpus, source, embedder.fingerprint, ENCODING) else None


def _encode(
    table: VerseTable,
    work: Path,
    source: str,
    embedder: Embedder,
    corpus: str,
    plan: Plan,
    progress: Progress | None,
) -> tuple[Any, int]:
    """Encode what is not encoded yet; return all vectors (a memory map) and how many were.

    The file of vectors carries in its name what they were made from, so that vectors of
    another corpus or embedder are never taken for these.
    """
    import numpy as np

    # A compressed index keeps less than half precision does; an exact one keeps all.
    dtype = np.dtype("<f4" if plan.exact else "<f2")
    made_from = f"{source} {embedder.fingerprint} {embedder.dim} {dtype.str} {ENCODING}"
    path = work / f"vectors-{hashlib.sha256(made_from.encode()).hexdigest()[:16]}.raw"
    for other in work.glob("vectors-*.raw"):
        if other != path:
            other.unlink()
    row = dtype.itemsize * embedder.dim
    done = resumed = min(path.stat().st_size // row if path.exists() else 0, len(table))
    with path.open("ab") as file:
        file.truncate(done * row)  # a row half-written when the last run was stopped
        while done < len(table):
            batch = range(done, min(done + _BATCH, len(table)))
            vectors = encode(table, batch, embedder, corpus)
            file.write(np.ascontiguousarray(vectors, dtype=dtype).tobytes())
            file.flush()
            done = batch.stop
            if progress:
                progress(done, len(table))
    return np.memmap(path, dtype=dtype, mode="r", shape=(len(table), embedder.dim)), resumed


def _assemble(
    table: VerseTable,
    raw: Any,
    work: Path,
    source: str,
    embedder: Embedder,
    corpus: str,
    plan: Plan,
) -> Manifest:
    """Write the FAISS file and the manifest beside the verses."""
    import numpy as np

    sample = np.sort(np.random.default_rng(0).permutation(len(raw))[: plan.train])
    index = new_index(plan, embedder.dim, raw[sample].astype(np.float32))
    for block in _blocks(raw):
        index.add(block)
    nprobe, recall = 0, 1.0
    if not plan.exact:
        # What sets nprobe may not also judge it.
        nprobe = choose_nprobe(index, _exam(table, raw, embedder, corpus, seed=1))
        recall = _exam(table, raw, embedder, corpus, seed=2).recall(index, nprobe)
    _write_faiss(index, work / VECTORS)
    manifest = Manifest(
        format=FORMAT,
        corpus=corpus,
        corpus_sha256=source,
        embedder=embedder.name,
        fingerprint=embedder.fingerprint,
        encoding=ENCODING,
        dim=embedder.dim,
        factory=plan.factory,
        nprobe=nprobe,
        count=len(table),
        recall_at_10=round(recall, 4),
        files={name: describe_file(work / name) for name in (VECTORS, VERSES)},
    )
    manifest.write(work)
    return manifest


def _blocks(raw: Any) -> Iterator[Floats]:
    import numpy as np

    return (raw[at : at + _BLOCK].astype(np.float32) for at in range(0, len(raw), _BLOCK))


def _exam(table: VerseTable, raw: Any, embedder: Embedder, corpus: str, *, seed: int) -> Exam:
    """Queries that are like verses but not in the index: the first clauses of some."""
    import numpy as np

    places = np.random.default_rng(seed).permutation(len(table))[:_EXAM_QUERIES]
    texts = [table.text(embedded_column(corpus), int(place)) for place in places]
    clauses = [text.replace("。", "，").partition("，")[0] or text for text in texts]
    queries = embedder.encode(clauses, kind="query")
    return Exam(queries, exact_tenth(_blocks(raw), queries), raw)


def _write_faiss(index: Any, path: Path) -> None:
    try:
        faiss().write_index(index, str(path))
    except RuntimeError as error:  # FAISS has no other kind; its text ends in the system's
        import errno

        full = "No space left" in str(error)
        raise OSError(errno.ENOSPC if full else errno.EIO, str(error), str(path)) from error
