"""A question, and how the arguments of the command line become one."""

from __future__ import annotations

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
    """Split ``INPUT [MORE WORDS]`` into a photo's path and words.

    The first input is a photo if such a file or folder exists, or if it ends like one.

    Raises:
        UserError: there are two photos; a question takes one.
    """
    first, *rest = inputs
    photo = expand_home(first)
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
