"""What a batch's CSV was begun with, in a hidden file beside it.

A row names its photo by its place in the folder, so rows of another folder, or asked for with
other words, would pass for this one's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from img2poem.errors import UserError
from img2poem.files import as_utf8, write_together


def note_of(path: Path) -> Path:
    """Where it stands what a CSV was begun with."""
    return path.with_name(f".{path.name}.begun.json")


def check(path: Path, begun_with: Mapping[str, str]) -> None:
    """Refuse to go on with a CSV that was begun with something else.

    Args:
        path: the CSV.
        begun_with: what decides which verses the photos get: name to value.

    Raises:
        UserError: it was begun with something else. Where that is not known it may go on.
    """
    try:
        known = json.loads(note_of(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    for name, value in _utf8(begun_with).items():
        before = known.get(name, value) if isinstance(known, dict) else value
        if before != value:
            raise UserError(
                f"{path} was begun with {name} {before or '(none)'}, not {value or '(none)'}.",
                "Choose another file with -o, or start over with --restart. To go on with it "
                f"all the same, remove {note_of(path)}.",
            )


def note(path: Path, begun_with: Mapping[str, str]) -> None:
    """Write down what a CSV is begun with; where that cannot be, do without."""
    with suppress(UserError), write_together([note_of(path)]) as (file,):
        file.write(json.dumps(_utf8(begun_with), ensure_ascii=False, indent=1).encode())


def _utf8(values: Mapping[str, str]) -> dict[str, str]:
    """Values that JSON can carry, whatever bytes a folder's name has."""
    return {name: as_utf8(value) for name, value in values.items()}
