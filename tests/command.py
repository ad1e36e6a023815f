"""Run the command line as a user does, in this process."""

from __future__ import annotations

import contextlib
import io
import sys
from dataclasses import dataclass

from img2poem.cli import main


@dataclass(frozen=True)
class Run:
    """What a command left behind."""

    code: int
    out: str
    err: str


def run(*arguments: object) -> Run:
    """Call ``img2poem`` with these arguments."""
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="utf-8", write_through=True)
    err = io.StringIO()
    before = sys.argv
    sys.argv = ["img2poem", *map(str, arguments)]
    code = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
    finally:
        sys.argv = before
    return Run(code, raw.getvalue().decode(), err.getvalue())
