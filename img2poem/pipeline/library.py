"""The indexes a pipeline searches: the user's own, else the shipped corpus's."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from img2poem.corpus import FILES
from img2poem.datadir import (
    DataDir,
    resolve_datadir,
    shipped_index,
    starter_datadir,
    starter_works,
)
from img2poem.errors import UserError

if TYPE_CHECKING:
    from img2poem.index.build import BuildReport
    from img2poem.index.store import VerseIndex
    from img2poem.models.base import Embedder

Progress = Callable[[int, int], None]


class Reporter(Protocol):
    """What a front end offers a long job."""

    def task(self, label: str) -> Progress:
        """Begin a task; call the returned function with (done, total)."""
        ...

    def notice(self, message: str) -> None:
        """Tell the user something that is neither result nor error."""
        ...


class Silent:
    """A Reporter that says nothing; what Python callers get."""

    def task(self, label: str) -> Progress:
        """Ignore progress."""
        return lambda done, total: None

    def notice(self, message: str) -> None:
        """Ignore notices."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a corpus and its index live, and whether they are the shipped ones."""

    home: DataDir
    source: Path
    folder: Path
    starter: bool


def locate(corpus: str, embedder: Embedder, data: str = "") -> Place:
    """The user's own corpus if there is one, else the shipped one.

    Args:
        corpus: ct, c or select_c.
        embedder: whose index is wanted.
        data: the ``data`` setting; a folder named there is the user's own.
    """
    home = resolve_datadir(data)
    folder, source = home.index_folder(corpus, embedder.name), home.corpus_file(corpus)
    if data or folder.exists() or source.exists():
        return Place(home, source, folder, starter=False)
    home = starter_datadir()
    # The fingerprint is in the name because new weights must not meet an older index.
    folder = home.index_folder(corpus, f"{embedder.name}-{embedder.fingerprint[:8]}")
    return Place(home, home.corpus_file(corpus), folder, starter=True)


def open_index(
    corpus: str, embedder: Embedder, *, data: str = "", reporter: Reporter
) -> VerseIndex:
    """Open a corpus's index.

    The shipped corpus comes with an index of its translations for the built-in embedder; any
    other is prepared and built on first use.

    Raises:
        UserError: the user's corpus has no index yet, or its index cannot be used.
    """
    from img2poem.index.store import VerseIndex

    place = locate(corpus, embedder, data)
    if place.folder.exists():
        try:
            index = VerseIndex.open(
                place.folder,
                embedder_fingerprint=embedder.fingerprint,
                embedder_name=embedder.name,
            )
        except UserError:
            if not place.starter:
                raise
            # The shipped corpus is ours to rebuild: nothing of the user's is in there.
            reporter.notice("The index of the shipped corpus is damaged; building it again.")
        else:
            if not place.starter:
                _tell_if_stale(corpus, embedder.name, place, reporter)
            return index
    elif not place.starter:
        raise _no_index(corpus, embedder.name, place)
    else:
        with suppress(UserError):  # none for this corpus, or of other weights: one is built
            return VerseIndex.open(shipped_index(corpus), embedder_fingerprint=embedder.fingerprint)
        reporter.notice(
            f"building the index of {corpus} for {embedder.name}, this once; it may take minutes."
        )
    build(corpus, embedder, data=data, reporter=reporter, force=place.folder.exists())
    return VerseIndex.open(place.folder, embedder_fingerprint=embedder.fingerprint)


def build(
    corpus: str, embedder: Embedder, *, data: str = "", reporter: Reporter, force: bool = False
) -> BuildReport:
    """Build a corpus's index.

    Raises:
        UserError: the corpus is not prepared, or the index cannot be written.
    """
    from img2poem.index.build import build_index

    place = locate(corpus, embedder, data)

    def made() -> BuildReport:
        return build_index(
            place.source,
            place.folder,
            embedder,
            corpus=corpus,
            force=force,
            progress=reporter.task(f"indexing {corpus}"),
            notice=reporter.notice,
        )

    if not place.starter:
        if not place.source.is_file():
            raise _not_prepared(corpus, place)
        return made()
    if all(place.home.corpus_file(name).is_file() for name in FILES):
        with suppress(UserError):  # they may be damaged, and are ours to make again
            return made()
    _prepare_starter(place.home)
    return made()


def _prepare_starter(home: DataDir) -> None:
    from img2poem.corpus.prepare import prepare

    home.mark()
    prepare(starter_works(), home.root)


def _tell_if_stale(corpus: str, embedder: str, place: Place, reporter: Reporter) -> None:
    """A notice where the corpus was prepared again after its index was built.

    By the files' times, since reading a corpus of a million verses would take longer than the
    question; ``build-index`` compares what is in it.
    """
    from img2poem.index.manifest import MANIFEST, build_command

    try:
        built = (place.folder / MANIFEST).stat().st_mtime
        stale = place.source.stat().st_mtime > built
    except OSError:
        return
    if stale:
        command = build_command(corpus, place.home.root, embedder)
        reporter.notice(
            f"the corpus {corpus} was prepared after its index was built; to search it as it is "
            f"now: {command}"
        )


def _no_index(corpus: str, embedder: str, place: Place) -> UserError:
    if not place.source.is_file():
        return _not_prepared(corpus, place)
    from img2poem.index.manifest import build_command

    return UserError(
        f"The corpus {corpus} in {place.home.root} has no index for {embedder} yet.",
        f"Build it: {build_command(corpus, place.home.root, embedder)}",
    )


def _not_prepared(corpus: str, place: Place) -> UserError:
    return UserError(
        f"There is no corpus {corpus} in {place.home.root}.",
        f"Make it: img2poem prepare WORKS --out {shlex.quote(str(place.home.root))}",
    )
