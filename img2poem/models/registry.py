"""A name to a model: "builtin", "hf:BAAI/bge-base-zh-v1.5", "openai:qwen2.5-vl", a plugin's.

A name is a scheme, or a scheme and what it is asked to load, joined by a colon. Each
scheme has a factory for the seats it can fill; nothing of it is imported before it is asked
for. Packages can add schemes through the entry point group ``img2poem.<seat>``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Literal

from img2poem.errors import UserError

Seat = Literal["captioner", "embedder", "reranker", "generator"]


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """What a factory may need besides the name.

    Attributes:
        device: auto, cpu, cuda or mps.
        api_base: address of an OpenAI-compatible endpoint; empty: the service's own.
        translator: the English-to-Chinese model for captioners that speak English.
    """

    device: str = "auto"
    api_base: str = ""
    translator: str = ""


HUB_SCHEMES = ("hf", "flag", "clip")
"""Those whose models come from the Hugging Face hub."""

Factory = Callable[[str, ModelOptions], Any]

_FACTORIES: dict[tuple[Seat, str], str] = {
    ("captioner", "builtin"): "img2poem.models.builtin:captioner",
    ("embedder", "builtin"): "img2poem.models.builtin:embedder",
    ("reranker", "builtin"): "img2poem.models.builtin:reranker",
    ("captioner", "hf"): "img2poem.models.hub.captioner:captioner",
    ("embedder", "hf"): "img2poem.models.hub.embedder:embedder",
    ("embedder", "flag"): "img2poem.models.hub.flag:embedder",
    ("embedder", "clip"): "img2poem.models.hub.clip:embedder",
    ("reranker", "hf"): "img2poem.models.hub.reranker:reranker",
    ("reranker", "flag"): "img2poem.models.hub.flag:reranker",
    ("generator", "hf"): "img2poem.models.hub.generator:generator",
    ("captioner", "openai"): "img2poem.models.api:captioner",
    ("embedder", "openai"): "img2poem.models.api:embedder",
    ("reranker", "openai"): "img2poem.models.api:reranker",
    ("generator", "openai"): "img2poem.models.api:generator",
}


def schemes(seat: Seat) -> dict[str, Callable[[], Factory]]:
    """Every scheme that can fill a seat, each with a loader of its factory."""
    found: dict[str, Callable[[], Factory]] = {
        scheme: _loader(target)
        for (for_seat, scheme), target in _FACTORIES.items()
        if for_seat == seat
    }
    for point in entry_points(group=f"img2poem.{seat}"):
        found.setdefault(point.name, point.load)
    return found


def load(seat: Seat, name: str, options: ModelOptions | None = None) -> Any:
    """Load the model a name stands for.

    Args:
        seat: what it is to do.
        name: e.g. "builtin" or "hf:BAAI/bge-base-zh-v1.5".
        options: device and endpoint.

    Returns:
        An object with that seat's Protocol (see ``img2poem.models.base``).

    Raises:
        UserError: no such scheme, an extra that is not installed, or a model that cannot
            be loaded; the message says which and what to do.
    """
    scheme, _, rest = name.partition(":")
    known = schemes(seat)
    if scheme not in known:
        raise UserError(
            f"No {seat} is called {name!r}.",
            f"The name of a model for this begins with one of: {', '.join(sorted(known))}.",
        )
    return known[scheme]()(rest, options or ModelOptions())


def missing_extra(extra: str, error: ImportError) -> UserError:
    """The error for a model whose packages are not installed."""
    return UserError(
        f"This model needs the package {error.name or error}, which is not installed.",
        f'Install the extra: pip install "img2poem[{extra}]".',
    )


def _loader(target: str) -> Callable[[], Factory]:
    module, _, attribute = target.partition(":")

    def load_factory() -> Factory:
        factory: Factory = getattr(import_module(module), attribute)
        return factory

    return load_factory
