"""One Settings object; flags > IMG2POEM_* > img2poem.toml > profile > defaults."""

from __future__ import annotations

import dataclasses
import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from img2poem.errors import UserError

Corpus = Literal["ct", "c", "select_c"]
Generate = Literal["auto", "always", "never"]
Hyde = Literal["off", "only", "concat"]
CORPORA: tuple[Corpus, ...] = get_args(Corpus)

ENV_PREFIX = "IMG2POEM_"
FILE_NAME = "img2poem.toml"
MOST = 200  # verses a question; every one of them is reranked


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a run depends on besides its input. ``HELP`` says what each field is for."""

    profile: str = "builtin"
    captioner: str = "builtin"
    translator: str = "hf:Helsinki-NLP/opus-mt-en-zh"
    embedder: str = "builtin"
    reranker: str = "builtin"
    generator: str = ""
    generate: Generate = "auto"
    hyde: Hyde = "off"
    corpus: tuple[Corpus, ...] = ("ct",)
    k: int = 5
    min_score: float | None = None
    max_pixels: int = 200_000_000
    metadata: bool = True
    device: str = "auto"
    api_base: str = ""
    data: str = ""


HELP: dict[str, str] = {
    "profile": "a named set of models: builtin, original, best",
    "captioner": "photo to modern Chinese",
    "translator": "English to Chinese, for captioners that speak English",
    "embedder": "text to vectors",
    "reranker": "orders the candidates",
    "generator": "writes a verse; empty: none",
    "generate": "when to write a verse: auto (nothing close), always, never",
    "hyde": "search with a generated verse: off, only, concat (joined to the query)",
    "corpus": "what is searched: ct, c, select_c",
    "k": "how many verses",
    "min_score": "below this a verse is not close; unset: the reranker's own, for photos 0.5",
    "max_pixels": "larger photos are refused before decoding",
    "metadata": "use a photo's date and place as a weak hint",
    "device": "auto, cpu, cuda or mps",
    "api_base": "address of an OpenAI-compatible endpoint",
    "data": "folder of corpora and indexes; empty: ./data if img2poem made it, else the user's",
}

PROFILES: dict[str, dict[str, Any]] = {
    "builtin": {
        "captioner": "builtin",
        "embedder": "builtin",
        "reranker": "builtin",
        "generator": "",
    },
    "original": {
        "captioner": "hf:Salesforce/blip-image-captioning-base",
        "translator": "hf:Helsinki-NLP/opus-mt-en-zh",
        "embedder": "hf:BAAI/bge-base-zh-v1.5",
        "reranker": "flag:BAAI/bge-reranker-base",
    },
    "best": {
        # docs/models.md says why: all are free to use, and one model fills two seats.
        "captioner": "hf:Qwen/Qwen3-VL-4B-Instruct",
        "embedder": "hf:Qwen/Qwen3-Embedding-0.6B",
        "reranker": "flag:BAAI/bge-reranker-v2-m3",
        "generator": "hf:Qwen/Qwen3-VL-4B-Instruct",
    },
}


@dataclass(frozen=True, slots=True)
class Resolved:
    """Settings, and for each field where its value came from."""

    settings: Settings
    origin: dict[str, str]


def user_config_file() -> Path:
    """The settings file in the user's own config folder."""
    from platformdirs import user_config_path

    return user_config_path("img2poem", appauthor=False) / FILE_NAME


def resolve(
    flags: Mapping[str, Any] | None = None,
    *,
    env: Mapping[str, str] | None = None,
    files: list[Path] | None = None,
) -> Resolved:
    """Settle every setting from its sources.

    Args:
        flags: values given on the command line or from Python; None means "not given".
        env: the environment; ``os.environ`` by default.
        files: settings files, the first one with a value wins; by default
            ``./img2poem.toml``, then the user's.

    Raises:
        UserError: an unknown name, a value that does not fit, or a file that is not TOML.
    """
    names = [field.name for field in dataclasses.fields(Settings)]
    unknown = next((name for name in flags or () if name not in names), None)
    if unknown:
        near = difflib.get_close_matches(unknown, names, n=1)
        raise UserError(
            f"There is no setting {unknown!r}.",
            f"Nearest: {near[0]}." if near else f"Settings: {', '.join(names)}.",
            exit_code=2,
        )
    env = os.environ if env is None else env
    files = [Path(FILE_NAME), user_config_file()] if files is None else files
    layers: list[tuple[str, dict[str, Any]]] = [
        ("flag", {name: value for name, value in (flags or {}).items() if value is not None}),
        ("environment", _from_env(env)),
    ]
    layers += [(str(path), _from_file(path)) for path in files if path.is_file()]
    # A profile yields to its own source's settings, and outranks those of lower sources; but
    # a translator, which no flag can name, stays as it was set.
    at = next((i for i, (_, layer) in enumerate(layers) if "profile" in layer), None)
    if at is not None:
        profile = layers[at][1]["profile"]
        models = seats(profile)
        layers.append((f"profile {profile}", models))
        seated = {seat: name for seat, name in models.items() if seat != "translator"}
        layers.insert(at + 1, (f"profile {profile}", seated))

    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for field in dataclasses.fields(Settings):
        origin[field.name] = "default"
        for source, layer in layers:
            if field.name in layer:
                values[field.name] = _fit(field.name, layer[field.name], source)
                origin[field.name] = source
                break
    return Resolved(Settings(**values), origin)


def seats(profile: Any) -> dict[str, Any]:
    """A profile's models by seat; raises UserError if there is no such profile."""
    if not isinstance(profile, str) or profile not in PROFILES:
        raise UserError(
            f"There is no profile {profile!r}.", f"Profiles: {', '.join(PROFILES)}.", exit_code=2
        )
    return PROFILES[profile]


def _from_env(env: Mapping[str, str]) -> dict[str, Any]:
    """IMG2POEM_K=3 is setting k; variables that name no setting are not ours to judge."""
    names = {f.name for f in dataclasses.fields(Settings)}
    found = {
        key.removeprefix(ENV_PREFIX).lower(): value
        for key, value in env.items()
        if key.startswith(ENV_PREFIX)
    }
    # IMG2POEM_K= is how a shell says "not set"; a generator may be set to none.
    may_be_empty = {f.name for f in dataclasses.fields(Settings) if f.default == ""}
    return {
        name: value
        for name, value in found.items()
        if name in names and (value or name in may_be_empty)
    }


def _from_file(path: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{path} is not TOML: {error}.", "Mend it or remove it.") from error
    names = {f.name for f in dataclasses.fields(Settings)}
    for name in table:
        if name not in names:
            raise UserError(
                f"{path} sets {name!r}, which is no setting.",
                f"Settings: {', '.join(sorted(names))}.",
            )
    return table


def _fit(name: str, value: Any, source: str) -> Any:
    """Bring one value to its field's type, or say why it cannot be."""
    try:
        return _CASTS.get(name, _text)(value)
    except (TypeError, ValueError, OverflowError) as error:
        where = {"flag": "on the command line", "environment": f"in {ENV_PREFIX}{name.upper()}"}
        raise UserError(
            f"{name} = {value!r} ({source}) does not fit: {error}.",
            f"Change it {where.get(source, f'in {source}')}. What {name} is: {HELP[name]}.",
            exit_code=2,
        ) from error


def _text(value: Any) -> str:
    if not isinstance(value, str | os.PathLike):
        raise ValueError("it must be text")
    return str(value)


def _corpora(value: Any) -> tuple[Corpus, ...]:
    if not isinstance(value, str | list | tuple):
        raise ValueError(f"name one or more of {', '.join(CORPORA)}")
    parts = [part.strip() for part in value.split(",")] if isinstance(value, str) else list(value)
    for part in parts:
        if part not in CORPORA:
            near = difflib.get_close_matches(str(part), CORPORA, n=1)
            nearest = f"; nearest: {near[0]}" if near else ""
            raise ValueError(f"there is no corpus {part!r}, only {', '.join(CORPORA)}{nearest}")
    if not parts:
        raise ValueError("at least one corpus is needed")
    return tuple(dict.fromkeys(cast(list[Corpus], parts)))


def _choice(*allowed: str) -> Any:
    def choose(value: Any) -> str:
        if value not in allowed:
            raise ValueError(f"choose {', '.join(allowed[:-1])} or {allowed[-1]}")
        return str(value)

    return choose


def _positive(value: Any) -> int:
    try:
        number = int(value)
        whole = number == float(value) and not isinstance(value, bool)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError("it must be a whole number") from error
    if not whole:
        raise ValueError("it must be a whole number")
    if number < 1:
        raise ValueError("it must be 1 or more")
    return number


def count(value: Any) -> int:
    """A number of verses; raises ValueError if it is none, or more than anybody reads."""
    number = _positive(value)
    if number > MOST:
        raise ValueError(f"it must be {MOST} or less")
    return number


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    lowered = str(value).strip().lower()
    if lowered in {"1", "true", "yes", "on"}:
        return True
    if lowered in {"0", "false", "no", "off"}:
        return False
    raise ValueError("say true or false")


def _score(value: Any) -> float | None:
    if value is None or value == "":
        return None
    try:
        number = float("no" if isinstance(value, bool) else value)
    except (TypeError, ValueError) as error:
        raise ValueError("it must be a number") from error
    if not 0 <= number <= 1:
        raise ValueError("a score lies between 0 and 1")
    return number


_CASTS: dict[str, Any] = {
    "corpus": _corpora,
    "k": count,
    "max_pixels": _positive,
    "min_score": _score,
    "metadata": _flag,
    "generate": _choice(*get_args(Generate)),
    "hyde": _choice(*get_args(Hyde)),
    "device": _choice("auto", "cpu", "cuda", "mps"),
}
