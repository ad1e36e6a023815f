"""An index takes its place: a finished folder gets the name of the one before it."""

from __future__ import annotations

import shutil
from pathlib import Path

from img2poem.errors import UserError
from img2poem.files import sync
from img2poem.index.manifest import MANIFEST, VECTORS, VERSES

_PARTS = frozenset({MANIFEST, VECTORS, VERSES})


def refuse_foreign(folder: Path) -> None:
    """Never replace a folder that holds anything but an index."""
    if folder.is_dir() and {entry.name for entry in folder.iterdir()} <= _PARTS:
        return
    if folder.exists():
        raise UserError(
            f"{folder} is not an index, so it is not replaced.", "Move it away, or choose another."
        )


def _old(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


def put_in_place(work: Path, folder: Path) -> None:
    """Write ``work`` to disk and give it the name ``folder``, in place of what has it."""
    for leftover in work.iterdir():
        if leftover.name not in _PARTS:
            leftover.unlink()
        else:
            sync(leftover)
    sync(work)
    if folder.exists():
        folder.rename(_old(folder))
    work.rename(folder)
    shutil.rmtree(_old(folder), ignore_errors=True)


def settle(folder: Path) -> None:
    """Bring back the index that a build was replacing when it was stopped."""
    old = _old(folder)
    if old.exists() and not folder.exists():
        old.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
