"""Where a hub model's files are, and what can be told from them without loading any.

Nothing here touches the network: a name is a local folder, or a model that
``img2poem models pull`` has put into the hub's cache.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from img2poem.errors import UserError
from img2poem.models.registry import missing_extra

_ENDS = 1 << 20  # bytes hashed at either end of a weight file
_OTHER_RUNTIMES = {"onnx", "openvino"}
HEADS = ("colbert_linear.pt", "sparse_linear.pt")  # of BGE-M3, beside its weights
_SHAPES = ("modules.json", "*_Pooling/config.json", "*_Dense/config.json")


def locate(name: str) -> Path:
    """The folder of a model's files.

    Args:
        name: a local folder, or a model of the hub such as ``BAAI/bge-base-zh-v1.5``.

    Raises:
        UserError: no such folder, or a model that is not in the cache; at once, since the
            network is not asked.
    """
    require_name(name)
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not is_complete(folder):
            raise UserError(
                f"The folder {name} holds no complete model.",
                "It needs config.json and weights as save_pretrained writes them.",
            )
        return folder
    if is_path(name):
        raise UserError(f"There is no folder {name}.", "Check the path.")
    cached = find_cached(name)
    if cached is None:
        raise UserError(
            f"The model {name} is not on this machine.",
            f"Download it once, while online: img2poem models pull {name} "
            "(all of a profile: img2poem models pull --profile NAME)",
        )
    return cached


def require_name(name: str) -> None:
    """Refuse the empty name of ``hf:``; raises UserError."""
    if not name.strip():
        raise UserError("A model's name is missing.", "E.g. hf:owner/model.", exit_code=2)


def is_path(name: str) -> bool:
    """Whether a name can only be a path: hub names are ``model`` or ``owner/model``."""
    return name[:1] in tuple("./~\\") or name.count("/") > 1 or "\\" in name or ":" in name


def find_cached(name: str) -> Path | None:
    """A model's folder in the hub's cache; None if it is not there, or not all of it."""
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
    except ImportError as error:
        raise missing_extra("hub", error) from error
    try:
        folder = Path(snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None
    return folder if is_complete(folder) else None


def is_complete(folder: Path) -> bool:
    """Whether a folder has a configuration and every file of its weights."""
    if not (folder / "config.json").is_file() and not (folder / "modules.json").is_file():
        return False
    for index in folder.glob("*.index.json"):
        shards = set(read_json(index).get("weight_map", {}).values())
        if shards and all((folder / shard).is_file() for shard in shards):
            return True
    return any("-of-" not in path.name for path in weight_files(folder))


def weight_files(folder: Path) -> list[Path]:
    """The weights that would be loaded, in name order: safetensors where there are any."""
    found = sorted(
        path
        for suffix in ("*.safetensors", "*.bin", *HEADS)
        for path in folder.rglob(suffix)
        if not _OTHER_RUNTIMES & set(path.relative_to(folder).parts[:-1])
        and not path.name.startswith(("training_args", "optimizer", "scheduler", "rng_state"))
    )
    if any(path.suffix == ".safetensors" for path in found):
        return [path for path in found if not path.name.startswith("pytorch_model")]
    return found


def fingerprint(folder: Path) -> str:
    """A hash of what decides an embedder's vectors, quick even for gigabytes of weights.

    Hashed are each weight file's place, size, first and last MiB, and the files that say how
    the vectors are pooled. Training changes the weights throughout, so the two ends tell
    models apart; a change of a few bytes in the middle by hand would go unseen.
    """
    digest = hashlib.sha256()
    for path in weight_files(folder):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder).as_posix()}:{size}\n".encode())
        with path.open("rb") as file:
            digest.update(file.read(_ENDS))
            file.seek(max(0, size - _ENDS))
            digest.update(file.read(_ENDS))
    for pattern in _SHAPES:
        for path in sorted(folder.glob(pattern)):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def has_chat_template(folder: Path) -> bool:
    """Whether a model is made to be talked to."""
    if any((folder / f"chat_template.{suffix}").is_file() for suffix in ("jinja", "json")):
        return True
    files = (folder / name for name in ("tokenizer_config.json", "processor_config.json"))
    return any("chat_template" in read_json(file) for file in files if file.is_file())


def is_cross_encoder(folder: Path) -> bool:
    """Whether a model scores pairs; any other would be given a random head and score noise."""
    if read_json(folder / "config_sentence_transformers.json").get("model_type") == "CrossEncoder":
        return True
    architectures = read_json(folder / "config.json").get("architectures") or [""]
    return str(architectures[0]).endswith("ForSequenceClassification")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file's object; empty if the file is missing, damaged or holds something else."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
