"""Tell a photo's path from words on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from img2poem.errors import UserError
from img2poem.pipeline.photo import looks_like_photo


def photo_and_words(inputs: Sequence[str]) -> tuple[Path | None, str]:
    """Split ``INPUT [MORE WORDS]`` into a photo's path and words.

    The first input is a photo if such a file or folder exists, or if it ends like one.

    Raises:
        UserError: there are two photos; a question takes one.
    """
    first, *rest = inputs
    photo = Path(first).expanduser()
    if not first.strip() or not _is_path(photo):
        return None, " ".join(inputs)
    second = next((word for word in rest if looks_like_photo(Path(word))), None)
    if second:
        raise UserError(
            f"One photo at a time: {first}, not also {second}.",
            "For many photos: img2poem batch FOLDER",
            exit_code=2,
        )
    return photo, " ".join(rest)


def _is_path(path: Path) -> bool:
    try:
        return looks_like_photo(path) or path.exists()
    except OSError:  # words too long to be a file name
        return False
