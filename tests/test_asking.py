"""A photo's path is told from words."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from img2poem.errors import UserError
from img2poem.pipeline.asking import photo_and_words


def test_an_existing_file_is_the_photo_and_the_rest_are_words(tmp_path: Path) -> None:
    photo = tmp_path / "a.jpg"
    photo.touch()
    assert photo_and_words([str(photo), "孤独", "傍晚"]) == (photo, "孤独 傍晚")


def test_the_photo_may_come_after_the_words() -> None:
    assert photo_and_words(["雨后", "cat.jpg"]) == (Path("cat.jpg"), "雨后")
    assert photo_and_words(["雨后", "cat.jpg", "傍晚"]) == (Path("cat.jpg"), "雨后 傍晚")


def test_a_file_named_like_no_photo_gives_way_to_one_that_is(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.touch()
    assert photo_and_words([str(notes), "雪"]) == (notes, "雪")
    assert photo_and_words([str(notes), "cat.jpg"]) == (Path("cat.jpg"), str(notes))


def test_words_are_words() -> None:
    assert photo_and_words(["雪夜", "江上"]) == (None, "雪夜 江上")
    assert photo_and_words(["月光照在床前的地上"]) == (None, "月光照在床前的地上")


def test_a_name_that_ends_like_a_photo_is_one_even_if_it_is_missing() -> None:
    assert photo_and_words(["gone.JPG"])[0] == Path("gone.JPG")


def test_a_folder_is_not_taken_for_words(tmp_path: Path) -> None:
    assert photo_and_words([str(tmp_path)])[0] == tmp_path


def test_words_called_as_a_folder_here_is_are_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "月亮").mkdir()
    assert photo_and_words(["月亮", "山"]) == (None, "月亮 山")
    for path in ("./月亮", "月亮/", "."):
        assert photo_and_words([path])[0] == Path(path)


def test_words_too_long_for_a_file_name_are_words() -> None:
    assert photo_and_words(["月" * 10_000])[0] is None


def test_two_photos_are_refused() -> None:
    with pytest.raises(UserError, match="One photo at a time") as caught:
        photo_and_words(["a.jpg", "雪", "b.png"])
    assert caught.value.exit_code == 2


def test_a_tilde_before_no_user_is_words() -> None:
    assert photo_and_words(["~nosuchuser", "雪"]) == (None, "~nosuchuser 雪")


def test_words_called_as_a_file_here_is_are_words_unless_it_is_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photos: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("雪").write_text("not a picture")
    assert photo_and_words(["雪"]) == (None, "雪")
    assert photo_and_words(["./雪"]) == (Path("雪"), "")
    shutil.copy(photos / "cat.jpg", "猫")
    assert photo_and_words(["猫", "在", "窗边"]) == (Path("猫"), "在 窗边")


@pytest.mark.parametrize("address", ["https://example.com/a.jpg", "http://example.com/page"])
def test_an_address_is_no_photo(address: str) -> None:
    with pytest.raises(UserError, match="is an address"):
        photo_and_words([address])
