"""What a question searches with: by channel, a vector in the embedder's space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from img2poem.models.base import Embedder, FloatArray, TextKind
    from img2poem.pipeline.asking import Ask
    from img2poem.settings import Hyde

# With words beside a photo, in one space. Texts lie nearer to texts than photos do, so that
# at equal shares the photo would hardly be heard.
PHOTO_SHARE = 0.7


def encode_asks(
    asks: Sequence[Ask], drafts: Sequence[str], embedder: Embedder, hyde: Hyde
) -> list[dict[str, FloatArray]]:
    """The channels of each question.

    Args:
        asks: the questions.
        drafts: a verse written for each, to search with; empty: none.
        embedder: encodes texts, and photos if it can.
        hyde: with a draft, search with it alone (only) or joined to the question (concat).

    Returns:
        For each question, channel name to a unit vector, shape (dim,).
    """
    channels: list[dict[str, FloatArray]] = [{} for _ in asks]
    waiting: dict[TextKind, list[tuple[int, str, str]]] = {"query": [], "passage": []}
    for number, (ask, draft) in enumerate(zip(asks, drafts, strict=True)):
        if draft and hyde == "only":
            waiting["passage"].append((number, "hyde", draft))
        elif draft:
            waiting["query"].append((number, "hyde", f"{ask.query}，{draft}".lstrip("，")))
        else:
            waiting["query"] += [(number, name, text) for name, text in _texts(ask)]
    for kind, texts in waiting.items():
        if texts:
            encoded = embedder.encode([text for _, _, text in texts], kind=kind)
            for (number, name, _), vector in zip(texts, encoded, strict=True):
                channels[number][name] = vector
    for number, (ask, draft) in enumerate(zip(asks, drafts, strict=True)):
        if not (draft and hyde == "only"):
            channels[number] = _with_photo(ask, embedder, channels[number])
    return channels


def _texts(ask: Ask) -> list[tuple[str, str]]:
    described = ask.description.text if ask.description else ""
    texts = [("words", ask.words), ("description", described)]
    if ask.text and described:
        texts.append(("both", ask.query))
    return [(name, text) for name, text in texts if text]


def _with_photo(
    ask: Ask, embedder: Embedder, channels: dict[str, FloatArray]
) -> dict[str, FloatArray]:
    """Add the photo in the embedder's own space, where either model can put it there."""
    if ask.photo is not None and sees(embedder):
        looker: Any = embedder
        photo: FloatArray = looker.encode_photos([ask.photo])[0]
        said = channels.get("hyde", channels.get("words"))
        return {"photo": photo if said is None else _blend(photo, said)}
    seen = ask.description
    if seen and seen.vector is not None and seen.vector_space == embedder.fingerprint:
        return channels | {"photo": seen.vector}
    return channels


def sees(embedder: Embedder) -> bool:
    """Whether an embedder takes photos itself, so that no caption need stand between."""
    return hasattr(embedder, "encode_photos")


def _blend(photo: FloatArray, words: FloatArray) -> FloatArray:
    import numpy as np

    mixed: FloatArray = PHOTO_SHARE * photo + (1 - PHOTO_SHARE) * words
    return mixed / max(float(np.linalg.norm(mixed)), 1e-12)
