"""Writing files so that none is ever seen half-written."""

from __future__ import annotations

from pathlib import Path

import pytest

from img2poem.datadir import DataDir
from img2poem.errors import UserError
from img2poem.files import storage_error, write_together


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_all_files_take_their_names_at_the_end(tmp_path: Path) -> None:
    paths = [tmp_path / "new" / "a", tmp_path / "new" / "b"]
    with write_together(paths) as (a, b):
        a.write(b"1")
        b.write(b"2")
        assert not any(path.exists() for path in paths)
    assert [path.read_bytes() for path in paths] == [b"1", b"2"]
    assert names(tmp_path / "new") == ["a", "b"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, UserError("x"), OSError(28, "full")])
def test_whatever_stops_the_writing_the_old_files_stay(
    tmp_path: Path, stop: type[BaseException] | BaseException
) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with (
        pytest.raises((KeyboardInterrupt, UserError)),
        write_together([tmp_path / "a", tmp_path / "b"]) as (a, _),
    ):
        a.write(b"new")
        raise stop
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (28, "is full"),
        (13, "cannot be written to"),
        (30, "cannot be written to"),
        (5, "Input/output"),
    ],
)
def test_errors_of_the_file_system_are_put_in_words(number: int, words: str) -> None:
    import os

    error = storage_error(OSError(number, os.strerror(number)), Path("data"))
    assert words in error.problem
    assert "data" in error.problem


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file"):
        DataDir(tmp_path / "file" / "data").mark()
