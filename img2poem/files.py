"""Writing files so that none is ever seen half-written."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO

from img2poem.errors import UserError


@contextmanager
def write_together(paths: list[Path]) -> Iterator[list[BinaryIO]]:
    """Open a temporary file beside each path; when all are written, rename them one by one.

    Raises:
        UserError: a folder cannot be written to, the disk is full, or a file that the caller
            reads meanwhile cannot be read. The temporary files are gone then, and files that
            stood at ``paths`` are as they were, unless it was a renaming that failed.
    """
    partial = [path.with_name(f".{path.name}.{os.getpid()}.partial") for path in paths]
    try:
        with ExitStack() as stack:
            files: list[BinaryIO] = []
            for path in partial:
                path.parent.mkdir(parents=True, exist_ok=True)
                files.append(stack.enter_context(path.open("wb")))
            yield files
            for file in files:
                file.flush()
                os.fsync(file.fileno())
        for temporary, path in zip(partial, paths, strict=True):
            temporary.replace(path)
    except OSError as error:
        written = {*partial, *paths}
        written |= {folder for path in paths for folder in path.parents}
        if error.filename and Path(error.filename) not in written:
            raise UserError(f"{error.filename} cannot be read: {error.strerror}.") from error
        raise storage_error(error, paths[0].parent) from error
    finally:
        for path in partial:
            with suppress(OSError):
                path.unlink()


def storage_error(error: OSError, folder: Path) -> UserError:
    """An error of the file system in words: what happened to ``folder`` and what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError(f"The disk that holds {folder} is full.", "Make room and run it again.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return UserError(f"{folder} cannot be written to.", "Make it writable, or choose another.")
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return UserError(f"{folder} is not a folder.", "Choose another place.")
    if error.errno == errno.ENOENT:
        return UserError(f"{folder} cannot be made.", "Choose another place.")
    return UserError(f"{error.filename or folder}: {error.strerror or error}.")


@contextmanager
def exclusive(path: Path, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold a lock file: a second process that asks for it waits until the first is done.

    The system drops the lock when its process ends, however it ends. Where there are no
    such locks (Windows) nothing waits.

    Args:
        path: the lock file.
        waiting: called once, before a wait.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting:
                waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def held_alone(file: IO[bytes]) -> bool:
    """Hold a file until it is closed; False if another process holds it.

    Where there are no such locks (Windows) it is not known, and True.
    """
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def as_utf8(text: str) -> str:
    """Text that UTF-8 can carry: the bytes of a file name that are no text, written out."""
    return text.encode(errors="backslashreplace").decode()


def expand_home(name: str) -> Path:
    """A path with ~ and ~user replaced; as it stands where there is no such user."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return Path(name)


def sync(path: Path) -> None:
    """Have the system write a file, or a folder's list of names, to disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows opens no folders
    # Windows syncs only what is open for writing; Linux opens no folder for it.
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
