"""Which vector stands for a verse in an index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from img2poem.index.verses import VerseTable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from img2poem.models.base import Embedder

    Floats = npt.NDArray[np.float32]

# How far a verse's vector is drawn from its translation towards its occasions; chosen in
# training/text/RESULTS.md.
OCCASIONS = 0.5
# Raised whenever ``encode`` makes other vectors of the same verses.
ENCODING = 2


def embedded_column(corpus: str) -> Literal["text", "translation"]:
    """What a corpus is searched by."""
    return "translation" if corpus == "ct" else "text"


def encode(table: VerseTable, places: range, embedder: Embedder, corpus: str) -> Floats:
    """Encode verses as unit rows, float32 (len(places), dim).

    In ct a verse with occasions lies between its translation and their mean, so that one
    vector is found by both.
    """
    import numpy as np

    texts = [table.text(embedded_column(corpus), place) for place in places]
    quoted = [
        (row, phrase)
        for row, place in enumerate(places)
        if corpus == "ct" and table.text("occasions", place)
        for phrase in table[place].phrases
    ]
    vectors = embedder.encode([*texts, *(phrase for _, phrase in quoted)], kind="passage")
    if not quoted:
        return vectors
    own = vectors[: len(texts)].copy()
    occasions = np.zeros_like(own)
    np.add.at(occasions, [row for row, _ in quoted], vectors[len(texts) :])
    drawn = sorted({row for row, _ in quoted})
    own[drawn] = _unit(own[drawn] + OCCASIONS * _unit(occasions[drawn]))
    return own


def _unit(rows: Floats) -> Floats:
    import numpy as np

    unit: Floats = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit
