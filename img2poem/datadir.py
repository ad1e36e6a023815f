"""Where corpora and indexes live."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from img2poem.corpus import FILES
from img2poem.files import expand_home, storage_error

MARKER = ".img2poem"


@dataclass(frozen=True, slots=True)
class DataDir:
    """A folder of prepared corpora (JSONL) with their indexes under ``indexes/``."""

    root: Path

    def corpus_file(self, corpus: str) -> Path:
        """The JSONL of a corpus, whether or not it exists."""
        return self.root / FILES[corpus]

    def index_folder(self, corpus: str, embedder: str) -> Path:
        """The index of a corpus under an embedder, whether or not it exists."""
        slug = re.sub(r"[^\w.-]+", "-", embedder).strip("-")
        return self.root / "indexes" / f"{corpus}-{slug}"

    def mark(self) -> None:
        """Make the folder and mark it as this tool's, so that later runs find it as ./data.

        Raises:
            UserError: it cannot be written to.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            (self.root / MARKER).touch()
        except OSError as error:
            raise storage_error(error, self.root) from error


def resolve_datadir(setting: str = "") -> DataDir:
    """The folder in force: the setting, else ./data if this tool made it, else the user's."""
    if setting:
        return DataDir(expand_home(setting))
    here = Path("data")
    if (here / MARKER).is_file():
        return DataDir(here)
    return DataDir(_user_folder())


def starter_works() -> Path:
    """The works.json that ships with the package (in a checkout: data/works.json)."""
    packaged = Path(__file__).parent / "data" / "works.json"
    return packaged if packaged.is_file() else Path(__file__).parents[1] / "data" / "works.json"


def starter_datadir() -> DataDir:
    """Where the shipped corpus is prepared and indexed: a folder of its own for each edition.

    A user's own works never mix with it, and a new edition of the corpus gets a new folder.
    """
    edition = hashlib.sha256(starter_works().read_bytes()).hexdigest()[:12]
    return DataDir(_user_folder() / f"starter-{edition}")


def shipped_index(corpus: str) -> Path:
    """The shipped corpus's index that comes with the package, whether or not there is one."""
    return Path(__file__).parent / "weights" / "starter" / corpus


def _user_folder() -> Path:
    from platformdirs import user_data_path

    return user_data_path("img2poem", appauthor=False)
