"""Readers of works: works.json files, and copies of the chinese-poetry data set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from img2poem.corpus import chinese_poetry
from img2poem.corpus.json_stream import read_objects
from img2poem.corpus.verse import fits
from img2poem.errors import UserError

Progress = Callable[[int, int], None]


class Work(NamedTuple):
    """One work as its source has it.

    Attributes:
        id: the source's number for it, or its place in the source.
        kind: 诗, 词, 曲, 文, 赋 and so on.
        content: the text, lines apart by line breaks; empty if there is none.
        translation: in modern Chinese, lines likewise; may be empty.
        traditional: the text, title and author are in Traditional characters.
        occasions: of each line, lines likewise; may be empty (see ``Verse``).
    """

    id: int
    title: str
    author: str
    dynasty: str
    kind: str
    content: str
    translation: str = ""
    traditional: bool = False
    occasions: str = ""


_TYPES = (int, str, str, str, str, str, str, bool, str)


def read_works(source: Path, *, progress: Progress | None = None) -> Iterator[list[Work]]:
    """Yield the works of a source in order, in lists of any length.

    Args:
        source: a works.json file (array or JSON Lines), a folder with ``works*.json``
            files, or a copy of the chinese-poetry data set (npm package or git repository).
        progress: called with (bytes read, bytes in all).

    Raises:
        UserError: nothing there to read, or a file that is damaged.
    """
    files = _files(source)
    sizes = [file.stat().st_size for file, _ in files]
    total, before, number = sum(sizes), 0, 0
    for (file, collection), size in zip(files, sizes, strict=True):
        batches = read_objects(file, on_bytes=_reporter(progress, before, total))
        if collection:
            for poems in collection.works(batches, number):
                number += len(poems)
                yield [Work(*fields) for fields in poems]
        else:
            yield from _works(file, batches)
        before += size


def _works(file: Path, batches: Iterable[list[dict[str, Any]]]) -> Iterator[list[Work]]:
    known = False
    for objects in batches:
        known = known or any("Content" in item for item in objects)
        yield [_work(item) for item in objects]
    if not known:
        raise UserError(
            f"{file} holds no works: no object in it has a Content.",
            "Give a works.json file, a folder of them, or a copy of chinese-poetry.",
        )


def _files(source: Path) -> list[tuple[Path, chinese_poetry.Collection | None]]:
    if source.is_file():
        return [(source, chinese_poetry.collection_of(source))]
    if not source.is_dir():
        raise UserError(f"There is no {source}.", "Give a works.json file or a folder of them.")
    works = sorted(path for path in source.glob("works*") if path.suffix in (".json", ".jsonl"))
    if works:
        return [(path, None) for path in works]
    poetry = chinese_poetry.files(source)
    if not poetry:
        raise UserError(
            f"{source} holds neither works*.json files nor a copy of chinese-poetry.",
            "Give a works.json file, a folder of them, or a copy of chinese-poetry.",
        )
    return list(poetry)


def _reporter(progress: Progress | None, before: int, total: int) -> Callable[[int], None] | None:
    if progress is None:
        return None
    return lambda done: progress(before + done, total)


def _work(item: dict[str, Any]) -> Work:
    """A works.json object as a Work; a field of the wrong type counts as empty.

    So does an Id that 64 bits do not hold.
    """
    get: Any = item.get
    work = Work(
        get("Id"),
        get("Title"),
        get("Author"),
        get("Dynasty"),
        get("Kind"),
        get("Content"),
        get("Translation") or "",
        occasions=get("Occasions") or "",
    )
    if tuple(map(type, work)) != _TYPES:
        work = _repaired(work)
    return work if fits(work.id) else work._replace(id=0)


def _repaired(work: Work) -> Work:
    wrong = {
        name: kind()
        for name, value, kind in zip(Work._fields, work, _TYPES, strict=True)
        if type(value) is not kind
    }
    return work._replace(**wrong)
