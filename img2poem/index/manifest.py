"""``manifest.json``: what an index holds, which model made it, and its files' checksums."""

from __future__ import annotations

import hashlib
import json
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from img2poem.corpus import FILES
from img2poem.errors import UserError

FORMAT = 1
MANIFEST = "manifest.json"
VECTORS = "vectors.faiss"
VERSES = "verses.bin"

_HEAD, _TAIL = 64 << 20, 1 << 20


@dataclass(frozen=True, slots=True)
class Manifest:
    """What ``manifest.json`` says.

    Attributes:
        format: version of the folder's layout.
        corpus: ct, c or select_c.
        corpus_sha256: of the verses, as their file has them.
        embedder: the embedder's name.
        fingerprint: the embedder's hash of its weights.
        encoding: version of how texts become a verse's vector; 1 where it is not said.
        dim: numbers in a vector.
        factory: FAISS's name for the kind of index.
        nprobe: inverted lists searched by default; 0 for an exact index.
        count: verses.
        recall_at_10: share of the ten nearest verses that a search finds, measured when
            the index was built on vectors of its own; 1 for an exact index.
        files: name to bytes, sha256, and quick_sha256 (see ``quick_sha256``).
    """

    format: int
    corpus: str
    corpus_sha256: str
    embedder: str
    fingerprint: str
    dim: int
    factory: str
    nprobe: int
    count: int
    recall_at_10: float
    files: dict[str, dict[str, Any]]
    encoding: int = 1

    def write(self, folder: Path) -> None:
        """Write ``manifest.json``. Raises OSError."""
        text = json.dumps(asdict(self), ensure_ascii=False, indent=2) + "\n"
        (folder / MANIFEST).write_text(text, encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read and check ``manifest.json``.

        Raises:
            UserError: there is none, it is damaged, or it has another format.
        """
        path = folder / MANIFEST
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            corpus = folder.name.partition("-")[0]  # an index is called CORPUS-EMBEDDER
            known = corpus if corpus in FILES else "CORPUS"
            raise UserError(f"{folder} holds no index.", rebuild(known, folder)) from error
        except (OSError, ValueError) as error:
            raise damaged(folder, f"{MANIFEST} cannot be read") from error
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            said = values if isinstance(values, dict) else {}
            raise UserError(
                f"The index {folder} has format {said.get('format')}; this version reads "
                f"format {FORMAT}.",
                rebuild(
                    str(said.get("corpus", "CORPUS")), folder, str(said.get("embedder", "builtin"))
                ),
            )
        try:
            manifest = cls(**values)
            kinds = [
                (type(entry["bytes"]), type(entry["sha256"]), type(entry["quick_sha256"]))
                for entry in manifest.files.values()
            ]
        except (TypeError, KeyError, AttributeError) as error:
            raise damaged(folder, f"{MANIFEST} is not complete") from error
        whole = set(manifest.files) == {VECTORS, VERSES} and set(kinds) == {(int, str, str)}
        numbers = (manifest.dim, manifest.nprobe, manifest.count, manifest.encoding)
        if not whole or {type(number) for number in numbers} != {int} or min(numbers) < 0:
            raise damaged(folder, f"{MANIFEST} is not complete", str(manifest.corpus))
        return manifest

    def check_files(self, folder: Path, *, thorough: bool) -> None:
        """Compare the files with what the manifest says of them.

        Args:
            folder: the index.
            thorough: read every byte; otherwise sizes and ``quick_sha256``.

        Raises:
            UserError: a file is missing, has another size, or another content.
        """
        key, digest = ("sha256", sha256) if thorough else ("quick_sha256", quick_sha256)
        for name, expected in self.files.items():
            path = folder / name
            try:
                if path.stat().st_size != expected["bytes"]:
                    problem = f"{name} has another size than it was built with"
                    raise damaged(folder, problem, self.corpus, self.embedder)
                if digest(path) != expected[key]:
                    problem = f"{name} is not what was built"
                    raise damaged(folder, problem, self.corpus, self.embedder)
            except FileNotFoundError as error:
                raise damaged(folder, f"{name} is missing", self.corpus, self.embedder) from error
            except OSError as error:
                raise UserError(f"{path} cannot be read: {error.strerror}.") from error


def describe_file(path: Path) -> dict[str, Any]:
    """A file's entry in the manifest."""
    size = path.stat().st_size
    return {"bytes": size, "sha256": sha256(path), "quick_sha256": quick_sha256(path)}


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def quick_sha256(path: Path) -> str:
    """SHA-256 of a file's first 64 MB and last 1 MB.

    All of a small file, and in 40 ms the parts of a large one from which FAISS takes
    sizes and places, so that a damaged file is refused and does not crash the process.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        digest.update(file.read(_HEAD))
        if path.stat().st_size > _HEAD:
            file.seek(max(_HEAD, path.stat().st_size - _TAIL))
            digest.update(file.read())
    return digest.hexdigest()


def damaged(
    folder: Path, problem: str, corpus: str = "CORPUS", embedder: str = "builtin"
) -> UserError:
    """The error for an index whose files are not as they were built."""
    problem = f"The index {folder} is damaged: {problem}."
    return UserError(problem, rebuild(corpus, folder, embedder))


def rebuild(corpus: str, folder: Path, embedder: str = "builtin") -> str:
    """The command that puts an index right, as a hint."""
    home = folder.parent.parent  # an index is HOME/indexes/NAME
    return f"Build it again: {build_command(corpus, home, embedder)} --force"


def build_command(corpus: str, home: Path, embedder: str) -> str:
    """The command that builds an index; names and paths are quoted for a shell."""
    command = f"img2poem build-index --corpus {corpus} --data {shlex.quote(str(home))}"
    return command if embedder == "builtin" else f"{command} --embedder {shlex.quote(embedder)}"
