"""The four seats a model can take, as Protocols.

A model is anything with these methods; nothing has to inherit from them. Every
attribute and array has the shape given here, so that models can be exchanged by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL.Image import Image

    from img2poem.corpus.verse import Verse

    FloatArray = npt.NDArray[np.float32]

TextKind = Literal["query", "passage"]


@dataclass(frozen=True, slots=True)
class Photo:
    """A decoded photo, upright, RGB, with what its file said about it.

    Attributes:
        image: the picture, mode RGB, already turned upright and scaled down.
        path: where it came from; empty if it came from memory.
        month: 1 to 12, the month it was taken, from EXIF; None if unknown.
        hour: 0 to 23, the local hour it was taken, from EXIF; None if unknown.
        southern: True if EXIF GPS puts it south of the equator.
    """

    image: Image
    path: str = ""
    month: int | None = None
    hour: int | None = None
    southern: bool = False


@dataclass(frozen=True, slots=True)
class Imagery:
    """One thing seen in a photo: a tag of the imagery lexicon and a probability."""

    tag: str
    score: float


@dataclass(frozen=True, slots=True)
class Description:
    """What a captioner saw.

    Attributes:
        text: the photo in modern Chinese, one or two sentences; empty if nothing can be said.
        imagery: tags with calibrated probabilities, highest first.
        model: the captioner's name.
        vector: the photo as a unit vector in the text embedder's space, shape (dim,);
            None if the captioner has no such head.
        vector_space: ``fingerprint`` of the embedder whose space ``vector`` lives in.
    """

    text: str
    imagery: tuple[Imagery, ...] = ()
    model: str = ""
    vector: FloatArray | None = field(default=None, compare=False, repr=False)
    vector_space: str = ""


@runtime_checkable
class Captioner(Protocol):
    """Photos to modern Chinese."""

    name: str

    def describe(self, photos: Sequence[Photo]) -> list[Description]:
        """Describe each photo; the list has one Description a photo, in order."""
        ...


@runtime_checkable
class Embedder(Protocol):
    """Text to unit vectors.

    ``fingerprint`` is a hash of the weights: an index built under one fingerprint is
    never searched under another.
    """

    name: str
    dim: int
    fingerprint: str

    def encode(self, texts: Sequence[str], *, kind: TextKind) -> FloatArray:
        """Encode texts as float32 rows of length 1, shape (len(texts), dim)."""
        ...


@runtime_checkable
class PhotoEmbedder(Protocol):
    """An embedder that can also put a photo into the space of its texts."""

    name: str
    dim: int
    fingerprint: str

    def encode_photos(self, photos: Sequence[Photo]) -> FloatArray:
        """Encode photos as float32 rows of length 1, shape (len(photos), dim)."""
        ...


@runtime_checkable
class Reranker(Protocol):
    """How well each verse answers a query."""

    name: str

    def score(self, query: str, verses: Sequence[Verse]) -> FloatArray:
        """Score verses for a query: float32 (len(verses),), 0 to 1, comparable across queries."""
        ...


@runtime_checkable
class Generator(Protocol):
    """Writes a verse."""

    name: str

    def write(self, description: str, photo: Photo | None = None) -> str:
        """Write one line of classical verse for a description (and a photo, if it sees)."""
        ...
