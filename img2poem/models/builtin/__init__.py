"""The models that ship with img2poem, run by onnxruntime."""

from __future__ import annotations

from typing import TYPE_CHECKING

from img2poem.errors import UserError

if TYPE_CHECKING:
    from img2poem.models.base import Captioner, Embedder, Reranker
    from img2poem.models.registry import ModelOptions


def captioner(rest: str, options: ModelOptions) -> Captioner:
    """Factory of the shipped captioner."""
    _no_variant("captioner", rest)
    from img2poem.models.builtin.vision import BuiltinCaptioner

    return BuiltinCaptioner()


def embedder(rest: str, options: ModelOptions) -> Embedder:
    """Factory of the shipped embedder."""
    _no_variant("embedder", rest)
    from img2poem.models.builtin.text import BuiltinEmbedder

    return BuiltinEmbedder()


def reranker(rest: str, options: ModelOptions) -> Reranker:
    """Factory of the shipped reranker."""
    _no_variant("reranker", rest)
    from img2poem.models.builtin.text import BuiltinReranker

    return BuiltinReranker()


def _no_variant(seat: str, rest: str) -> None:
    if rest:
        raise UserError(f"There is one builtin {seat}, none called {rest!r}.", 'Write "builtin".')
