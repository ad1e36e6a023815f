"""Which rows came before, at eight bytes a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Digests = npt.NDArray[np.int64]


class Seen:
    """A set of 64-bit digests that takes keys by the thousand.

    Sorted runs of growing length, merged when the last is as long as the one before it,
    hold five million keys in 40 MB; a Python set of integers needs ten times that. Among
    five million keys two different ones share a digest with a chance of one in a million.
    """

    def __init__(self) -> None:
        self._runs: list[Digests] = []

    def add(self, digests: Digests) -> Digests:
        """Add digests; return the places in the array of those that are new, in order.

        Of a digest that stands in the array more than once the first counts as new.
        """
        import numpy as np

        values, first = np.unique(digests, return_index=True)
        fresh = np.ones(len(values), dtype=bool)
        for run in self._runs:
            place = np.minimum(np.searchsorted(run, values), len(run) - 1)
            fresh &= run[place] != values
        self._keep(values[fresh])
        return np.sort(first[fresh])

    def _keep(self, run: Digests) -> None:
        import numpy as np

        if not len(run):
            return
        while self._runs and len(self._runs[-1]) <= len(run):
            run = np.concatenate([self._runs.pop(), run])
            run.sort()
        self._runs.append(run)
