"""What ``img2poem models`` lists: models by name, where they are, their size and licence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

from img2poem.errors import UserError
from img2poem.models.registry import HUB_SCHEMES, Seat
from img2poem.settings import Settings, seats

SEATS: tuple[str, ...] = ("captioner", "translator", "embedder", "reranker", "generator")
_PACKAGES = {
    "hf": ("transformers", "sentence_transformers", "torch"),
    "flag": ("FlagEmbedding", "torch"),
    "clip": ("transformers", "torch"),
    "openai": ("openai",),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the list. ``size`` is in bytes, 0 if unknown."""

    seat: str
    name: str
    size: int
    licence: str
    state: str


@dataclass(frozen=True, slots=True)
class Known:
    """A model that is known to fit: sizes and licences as its page on the hub gives them."""

    seat: str
    name: str
    gigabytes: float
    licence: str


KNOWN = (
    Known("captioner", "hf:Salesforce/blip-image-captioning-base", 0.99, "BSD-3-Clause"),
    Known("captioner", "hf:Qwen/Qwen2.5-VL-3B-Instruct", 7.5, "Qwen Research (no commerce)"),
    Known("captioner", "hf:Qwen/Qwen3-VL-4B-Instruct", 8.9, "Apache-2.0"),
    Known("translator", "hf:Helsinki-NLP/opus-mt-en-zh", 0.31, "Apache-2.0"),
    Known("embedder", "hf:BAAI/bge-base-zh-v1.5", 0.41, "MIT"),
    Known("embedder", "hf:BAAI/bge-large-zh-v1.5", 1.30, "MIT"),
    Known("embedder", "hf:Qwen/Qwen3-Embedding-0.6B", 1.19, "Apache-2.0"),
    Known("embedder", "flag:BAAI/bge-m3", 2.27, "MIT"),
    Known("embedder", "clip:OFA-Sys/chinese-clip-vit-base-patch16", 0.75, "not stated"),
    Known("reranker", "flag:BAAI/bge-reranker-base", 1.11, "MIT"),
    Known("reranker", "flag:BAAI/bge-reranker-v2-m3", 2.27, "Apache-2.0"),
    Known("generator", "hf:Qwen/Qwen3-VL-4B-Instruct", 8.9, "Apache-2.0"),
)


def rows(settings: Settings) -> list[Row]:
    """Every model that can be named: shipped, known, in the settings, cached, at the endpoint.

    Args:
        settings: whose models and endpoint are looked at.
    """
    shipped = ("captioner", "embedder", "reranker")
    found = [Row(seat, "builtin", 0, "see model card", "built in") for seat in shipped]
    cached = _cached()
    listed: set[str] = set()
    for known in _with_settings(settings):
        scheme, _, rest = known.name.partition(":")
        size, licence = cached.get(rest, (0, ""))
        listed.add(rest)
        found.append(
            Row(
                known.seat,
                known.name,
                size or round(known.gigabytes * 1e9),
                known.licence or licence,
                _state(scheme, rest),
            )
        )
    for name, (size, licence) in sorted(cached.items()):
        if name not in listed:
            found.append(Row("", name, size, licence, "cached"))
    found += _plugins()
    found += _endpoint(settings.api_base)
    return found


def profile_models(profile: str) -> list[str]:
    """The hub models of a profile, each once; raises UserError if there is no such profile."""
    names = dict.fromkeys(str(value) for value in seats(profile).values())
    return [name for name in names if name.partition(":")[0] in HUB_SCHEMES]


def _with_settings(settings: Settings) -> Iterator[Known]:
    yield from KNOWN
    names = {(known.seat, known.name) for known in KNOWN}
    for seat in SEATS:
        name = getattr(settings, seat)
        if ":" in name and (seat, name) not in names:
            yield Known(seat, name, 0, "")


def _state(scheme: str, rest: str) -> str:
    missing = [package for package in _PACKAGES.get(scheme, ()) if find_spec(package) is None]
    if missing:
        return f"needs img2poem[{'api' if scheme == 'openai' else 'hub'}]"
    if scheme not in HUB_SCHEMES:
        return "installed"
    from img2poem.models.hub.files import find_cached, is_complete

    folder = Path(rest).expanduser()
    if folder.is_dir():
        return "local folder" if is_complete(folder) else "local folder, incomplete"
    return "cached" if find_cached(rest) else "not here: models pull"


def _cached() -> dict[str, tuple[int, str]]:
    """Models in the hub's cache: name to bytes and licence."""
    if find_spec("huggingface_hub") is None:
        return {}
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        repositories = [repo for repo in scan_cache_dir().repos if repo.repo_type == "model"]
    except CacheNotFound:
        return {}
    return {
        repo.repo_id: (repo.size_on_disk, _licence(r.snapshot_path for r in repo.revisions))
        for repo in repositories
    }


def _licence(folders: Iterable[Path]) -> str:
    """The licence a model's card names in its header."""
    for folder in folders:
        card = folder / "README.md"
        if card.is_file():
            header = card.read_text(encoding="utf-8", errors="replace")[:5000]
            found = re.search(r"^license(?:_name)?:\s*([\w.-]+)", header, re.MULTILINE)
            if found:
                return found[1]
    return ""


def _plugins() -> Iterator[Row]:
    for seat in get_args(Seat):
        for point in entry_points(group=f"img2poem.{seat}"):
            package = point.dist.name if point.dist else "a package"
            yield Row(seat, f"{point.name}:", 0, "", f"installed by {package}")


def _endpoint(base: str) -> Iterator[Row]:
    """What the endpoint in the settings offers."""
    if not base:
        return
    if find_spec("openai") is None:
        yield Row("", "openai:", 0, "", "needs img2poem[api]")
        return
    from img2poem.models.endpoint import Endpoint

    endpoint = Endpoint(base, "models")
    try:
        names = endpoint.names()
    except UserError as error:
        yield Row("", "openai:", 0, "", error.problem)
        return
    for name in names:
        yield Row("", f"openai:{name}", 0, "", f"reachable at {endpoint.address}")
