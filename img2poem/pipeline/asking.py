"""A question, and how the arguments of the command line become one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from img2poem.errors import UserError
from img2poem.files import expand_home
from img2poem.models.base import Description, Photo
from img2poem.pipeline.photo import looks_like_photo

# What no verse has a word for, the imagery nearest to it, and how near that is.
_NEAREST = {"咖啡": "茶"}
_NEAR = 0.7


@dataclass(frozen=True, slots=True)
class Ask:
    """One question: words, or a described photo, or both."""

    text: str = ""
    photo: Photo | None = None
    description: Description | None = None

    @property
    def words(self) -> str:
        """The text as models and the lexicon take it: one line, Simplified characters."""
        from img2poem.corpus.script import to_simplified

        # Bytes of a command line that are no characters would stop every tokenizer.
        text = self.text.encode(errors="replace").decode()
        return to_simplified([" ".join(text.split())])[0]

    @property
    def query(self) -> str:
        """All that is asked, in words."""
        described = self.description.text if self.description else ""
        return "，".join(part for part in (self.words, described) if part)

    @property
    def imagery(self) -> dict[str, float] | None:
        """Imagery that verses may answer, with probabilities; None: no photo.

        What was seen in the photo, or the nearest that verses name, and what the words name.
        """
        from img2poem.corpus.imagery import lexicon

        if self.description is None:
            return None
        seen = {imagery.tag: imagery.score for imagery in self.description.imagery}
        for tag, nearest in _NEAREST.items():
            if tag in seen:
                seen[nearest] = max(seen.get(nearest, 0.0), _NEAR * seen[tag])
        named = {*lexicon().find_modern(self.words), *lexicon().find_verse(self.words)}
        return seen | dict.fromkeys(named, 1.0)


def photo_and_words(inputs: Sequence[str]) -> tuple[Path | None, str]:
    """Split the inputs of a question into a photo's path and words, whatever their order.

    An input that ends like a photo is one, even if it is missing. Else the first input is, if
    there is such a file. Words may well be called as a file or folder is: a folder has to be
    written as a path (``./name``), and so has a file without an ending that is no picture.

    Raises:
        UserError: there are two photos, where a question takes one, or an address.
    """
    photos = [word for word in inputs if looks_like_photo(Path(word))]
    if len(photos) > 1:
        raise UserError(
            f"One photo at a time: {photos[0]}, not also {photos[1]}.",
            "For many photos: img2poem batch FOLDER",
            exit_code=2,
        )
    photo = photos[0] if photos else inputs[0]
    if re.match(r"(https?|ftp)://", photo, re.IGNORECASE):
        raise UserError(
            f"{photo} is an address; img2poem opens files.",
            "Download the photo, then give its path.",
            exit_code=2,
        )
    if not photos and not _is_path(photo):
        return None, " ".join(inputs)
    words = list(inputs)
    words.remove(photo)
    return expand_home(photo), " ".join(words)


def _is_path(word: str) -> bool:
    path = expand_home(word)
    written_as_path = path.name != word
    try:
        if path.is_file():
            return written_as_path or bool(path.suffix) or _is_picture(path)
        return written_as_path and path.is_dir()
    except OSError:  # words too long to be a file name
        return False


def _is_picture(path: Path) -> bool:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path):
            return True
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError):
        return False
