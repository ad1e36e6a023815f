"""A photo's path is told from words."""

from __future__ import annotations

from pathlib import Path

import pytest

from img2poem.errors import UserError
from img2poem.pipeline.asking import photo_and_words


def test_an_existing_file_is_the_photo_and_the_rest_are_words(tmp_path: Path) -> None:
    photo = tmp_path / "a.jpg"
    photo.touch()
    assert photo_and_words([str(photo), "孤独", "傍晚"]) == (photo, "孤独 傍晚")


def test_words_are_words() -> None:
    assert photo_and_words(["雪夜", "江上"]) == (None, "雪夜 江上")
    assert photo_and_words(["月光照在床前的地上"]) == (None, "月光照在床前的地上")


def test_a_name_that_ends_like_a_photo_is_one_even_if_it_is_missing() -> None:
    assert photo_and_words(["gone.JPG"])[0] == Path("gone.JPG")


def test_a_folder_is_not_taken_for_words(tmp_path: Path) -> None:
    assert photo_and_words([str(tmp_path)])[0] == tmp_path


def test_a_photo_may_stand_after_the_words(tmp_path: Path) -> None:
    photo = tmp_path / "a.jpg"
    photo.touch()
    assert photo_and_words(["雨后", str(photo), "江上"]) == (photo, "雨后 江上")
    assert photo_and_words(["雨后", "像.jpg"]) == (None, "雨后 像.jpg")  # there is no such file


def test_a_word_stays_one_where_a_folder_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "月亮").mkdir()
    monkeypatch.chdir(tmp_path)
    assert photo_and_words(["月亮"]) == (None, "月亮")
    assert photo_and_words(["./月亮"])[0] == Path("./月亮")


def test_words_too_long_for_a_file_name_are_words() -> None:
    assert photo_and_words(["月" * 10_000])[0] is None


def test_two_photos_are_refused() -> None:
    with pytest.raises(UserError, match="One photo at a time") as caught:
        photo_and_words(["a.jpg", "b.png"])
    assert caught.value.exit_code == 2


def test_a_tilde_before_no_user_is_words() -> None:
    assert photo_and_words(["~nosuchuser", "雪"]) == (None, "~nosuchuser 雪")
