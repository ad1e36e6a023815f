"""Put a hub model into the hub's cache, so that everything later works offline."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from img2poem.errors import UserError
from img2poem.models.hub.files import HEADS, is_complete, is_path, require_name
from img2poem.models.hub.loading import first_line
from img2poem.models.registry import HUB_SCHEMES, missing_extra

_SECONDS = 10.0  # to learn what a model consists of
_WITH_MODEL = ("*.json", "*.txt", "*.jinja", "*.model", "*.spm", "*.vocab", "README.md", *HEADS)
_OTHER_RUNTIMES = ("onnx/*", "openvino/*", "coreml/*")


def pull(name: str, notice: Callable[[str], None]) -> None:
    """Download a model of the hub, or what is missing of it.

    Args:
        name: with or without its scheme, e.g. ``flag:BAAI/bge-reranker-base``.
        notice: told what is about to be downloaded.

    Raises:
        UserError: no such model, one that needs a licence to be accepted, or no network.
    """
    repository = without_scheme(name)
    require_name(repository)
    if Path(repository).expanduser().is_dir() or repository[:1] in tuple("./~\\"):
        raise UserError(f"{repository} is a local folder.", "There is nothing to download.")
    if is_path(repository):
        raise UserError(
            f"{repository} is neither a folder here nor the name of a model on the hub.",
            "On the hub names are written owner/model.",
        )
    try:
        from huggingface_hub import HfApi, snapshot_download
    except ImportError as error:
        raise missing_extra("hub", error) from error
    with _network(repository):
        info: Any = HfApi().model_info(repository, files_metadata=True, timeout=_SECONDS)
    sizes = {item.rfilename: item.size or 0 for item in info.siblings or ()}
    wanted = choose_files(sizes)
    if not wanted:
        raise UserError(f"{repository} has no weights that torch can load.")
    size = sum(sizes[file] for file in wanted)
    notice(f"{repository}: {size / 1e9:.2f} GB, licence {_licence(info) or 'not stated'}")
    with _network(repository):
        folder = Path(snapshot_download(repository, allow_patterns=wanted))
    if not is_complete(folder):
        raise UserError(f"{repository} came incomplete.", f"Again: img2poem models pull {name}")


def without_scheme(name: str) -> str:
    """The hub name in ``hf:owner/model``; raises UserError for names that are no hub's."""
    scheme, colon, rest = name.partition(":")
    if not colon and scheme != "builtin":
        return name
    if scheme in HUB_SCHEMES:
        return rest
    reasons = {
        "builtin": "ships with img2poem",
        "openai": "runs at its endpoint",
    }
    reason = reasons.get(scheme, "is no model of the hub")
    raise UserError(f"{name} {reason}: there is nothing to download.")


def choose_files(files: Iterable[str]) -> list[str]:
    """The files torch needs of a repository that may hold the weights in many formats."""
    names = [f for f in files if not any(fnmatch.fnmatch(f, p) for p in _OTHER_RUNTIMES)]
    weights = [f for f in names if f.endswith(".safetensors")]
    weights = weights or [f for f in names if re.search(r"(^|/)pytorch_model[^/]*\.bin$", f)]
    # A file in a subfolder belongs to a part of its own: pooling, a second tower.
    if any("/" not in f for f in weights):
        weights = [f for f in weights if "/" not in f or re.match(r"\d+_", f)]
    beside = [f for f in names if any(fnmatch.fnmatch(f, pattern) for pattern in _WITH_MODEL)]
    return sorted({*weights, *beside}) if weights else []


def _licence(info: Any) -> str:
    card = info.card_data
    licence = card.get("license_name") or card.get("license") if card else ""
    return str(licence or "")


@contextmanager
def _network(repository: str) -> Iterator[None]:
    """What the hub's client raises, as one clear error."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        RepositoryNotFoundError,
    )

    try:
        yield
    except GatedRepoError as error:
        raise UserError(
            f"{repository} asks you to accept its licence first.",
            f"Accept it at https://huggingface.co/{repository}, then: hf auth login",
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise UserError(
            f"The hub has no model {repository}.", "Check the name; it is written owner/model."
        ) from error
    except HfHubHTTPError as error:
        raise UserError(f"The hub answered: {first_line(error)}", "Try again later.") from error
    except Exception as error:  # the client's HTTP library has changed before
        raise UserError(
            f"The hub cannot be reached ({first_line(error)}).",
            "Go online for this once, or name a local folder: hf:./folder",
        ) from error
