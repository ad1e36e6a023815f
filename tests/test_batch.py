"""``batch``: a row a photo whatever happens, resumable, in path order."""

from __future__ import annotations

import csv
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import run

from img2poem.pipeline.batch import find_photos


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def folder(tmp_path: Path, photos: Path) -> Path:
    """Six photos in nested folders, one of them unreadable."""
    target = tmp_path / "album"
    (target / "b" / "deep").mkdir(parents=True)
    for name, place in (
        ("cat", "z.jpg"),
        ("stars", "a.jpeg"),
        ("coffee", "b/c.JPG"),
        ("snow-peaks", "b/deep/s.jpg"),
        ("orange-flower", "m.jpg"),
    ):
        shutil.copy(photos / f"{name}.jpg", target / place)
    (target / "b" / "broken.jpg").write_text("not a photo")
    (target / "notes.txt").write_text("not a photo either")
    (target / ".hidden.jpg").write_text("nor this")
    return target


ORDER = ["a.jpeg", "b/broken.jpg", "b/c.JPG", "b/deep/s.jpg", "m.jpg", "z.jpg"]


def test_every_photo_gets_a_row_in_path_order_and_a_bad_one_its_error(
    folder: Path, small: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out" / "poems.csv"
    result = run("batch", folder, "-o", target, "--data", small)
    assert result.code == 3
    assert result.out == ""
    found = rows(target)
    assert [row["file"] for row in found] == ORDER
    assert "not a photo" in found[1]["error"]
    assert not found[1]["verse"]
    for row in found[:1] + found[2:]:
        assert row["error"] == ""
        assert row["verse"] and row["title"] and row["author"] and row["translation"]
        assert 0 <= float(row["score"]) <= 1


def test_a_second_run_only_tries_again_what_failed(
    folder: Path, small: Path, tmp_path: Path
) -> None:
    target = tmp_path / "poems.csv"
    run("batch", folder, "-o", target, "--data", small)
    before = target.read_bytes()
    again = run("batch", folder, "-o", target, "--data", small)
    assert again.code == 3  # the CSV has a photo that failed
    assert "done earlier: 5" in again.err
    assert target.read_bytes() == before
    (folder / "b" / "broken.jpg").unlink()
    assert run("batch", folder, "-o", target, "--data", small).code == 0


def test_query_and_batch_give_the_same_verse(folder: Path, small: Path, tmp_path: Path) -> None:
    import json

    target = tmp_path / "poems.csv"
    run("batch", folder, "-o", target, "--data", small)
    by_file = {row["file"]: row for row in rows(target)}
    answer = json.loads(run("query", folder / "z.jpg", "--data", small, "--json").out)
    assert answer["matches"][0]["verse"] == by_file["z.jpg"]["verse"]
    assert answer["description"]["text"] == by_file["z.jpg"]["description"]


def test_unique_gives_no_verse_twice(small: Path, photos: Path, tmp_path: Path) -> None:
    album = tmp_path / "same"
    album.mkdir()
    for number in range(5):
        shutil.copy(photos / "snow-peaks.jpg", album / f"{number}.jpg")
    run("batch", album, "-o", tmp_path / "same.csv", "--data", small, "--min-score", 0)
    assert len({row["verse"] for row in rows(tmp_path / "same.csv")}) == 1
    run("batch", album, "-o", tmp_path / "u.csv", "--unique", "--data", small, "--min-score", 0)
    assert len({row["verse"] for row in rows(tmp_path / "u.csv")}) == 5


def test_filters_hold_for_every_photo(folder: Path, small: Path, tmp_path: Path) -> None:
    target = tmp_path / "poems.csv"
    wanted = {"author": "苏轼", "dynasty": "宋", "kind": "词"}
    options = [part for name, value in wanted.items() for part in (f"--{name}", value)]
    run("batch", folder, "-o", target, *options, "--data", small)
    found = [{name: row[name] for name in wanted} for row in rows(target) if not row["error"]]
    assert found == [wanted] * 5


def test_an_unknown_poet_is_refused_before_anything_is_written(
    folder: Path, small: Path, tmp_path: Path
) -> None:
    target = tmp_path / "poems.csv"
    result = run("batch", folder, "-o", target, "--author", "李白白", "--data", small)
    assert result.code == 1
    assert "No poet 李白白" in result.err
    assert not target.exists()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: folder / "gone", "is not a folder"),
        (lambda folder: folder / "b" / "c.JPG", "is not a folder"),
        (lambda folder: _empty(folder / "empty"), "There is no photo under"),
    ],
)
def test_no_folder_or_nothing_in_it_is_said(make, said: str, folder: Path, small: Path) -> None:  # type: ignore[no-untyped-def]
    result = run("batch", make(folder), "--data", small)
    assert result.code == 1
    assert said in result.err


def _empty(path: Path) -> Path:
    path.mkdir()
    return path


def test_killed_at_any_moment_it_goes_on_without_losing_or_repeating_a_row(
    small: Path, photos: Path, tmp_path: Path
) -> None:
    album = tmp_path / "many"
    album.mkdir()
    samples = sorted(photos.glob("*.jpg"))
    for number in range(80):
        os.link(samples[number % len(samples)], album / f"{number:03}.jpg")
    target = tmp_path / "many.csv"
    command = [sys.executable, "-c", "from img2poem.cli import main; main()", "batch", str(album)]
    command += ["-o", str(target), "--data", str(small)]
    chance = random.Random(7)
    for _ in range(2):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        begun = _lines(target)
        deadline = time.monotonic() + 60
        while process.poll() is None and _lines(target) <= begun and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(chance.random() * 0.3)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert _lines(target) > 0
    subprocess.run(command, check=True, capture_output=True)
    assert [row["file"] for row in rows(target)] == [f"{n:03}.jpg" for n in range(80)]
    assert all(row["verse"] and not row["error"] for row in rows(target))


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_another_folder_or_other_words_do_not_take_over_old_rows(
    folder: Path, small: Path, photos: Path, tmp_path: Path
) -> None:
    target, other = tmp_path / "poems.csv", tmp_path / "other"
    other.mkdir()
    shutil.copy(photos / "stars.jpg", other / "z.jpg")
    run("batch", folder, "-o", target, "--data", small)
    before = target.read_bytes()
    for arguments in ([other], [folder, "--text", "雪"]):
        result = run("batch", *arguments, "-o", target, "--data", small)
        assert result.code == 1
        assert "was begun with" in result.err and "--restart" in result.err
        assert target.read_bytes() == before
    assert run("batch", other, "-o", target, "--data", small, "--restart").code == 0
    assert [row["file"] for row in rows(target)] == ["z.jpg"]


def test_a_folder_that_may_not_be_read_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("deep"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    told: list[str] = []
    found = find_photos(folder, told.append)
    assert [path.name for path in found] == ["a.jpeg", "broken.jpg", "c.JPG", "m.jpg", "z.jpg"]
    assert told == [f"{folder / 'b' / 'deep'} is left out: Permission denied."]


def test_a_link_to_a_folder_is_not_followed_and_named(folder: Path, tmp_path: Path) -> None:
    linking = tmp_path / "linking"
    linking.mkdir()
    (linking / "b").symlink_to(folder, target_is_directory=True)
    (linking / "own.jpg").touch()
    told: list[str] = []
    assert find_photos(linking, told.append) == [linking / "own.jpg"]
    assert told == [f"{linking / 'b'} is left out: it is a link to a folder."]
