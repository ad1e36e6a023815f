"""What img2poem raises when a user has to act."""

from __future__ import annotations


class UserError(Exception):
    """Something the user can put right: what went wrong, and what to do about it.

    The command line prints both as one short message on standard error, without a
    traceback, and exits with ``exit_code``.

    Args:
        problem: one sentence saying what went wrong.
        hint: what to do next; may be empty.
        exit_code: 1 the job failed, 2 the command line was wrong.
    """

    def __init__(self, problem: str, hint: str = "", *, exit_code: int = 1) -> None:
        super().__init__(f"{problem} {hint}".strip())
        self.problem = problem
        self.hint = hint
        self.exit_code = exit_code
