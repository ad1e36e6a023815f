"""Moon and stars, told by the shape of what is bright in a dark photo.

There are too few photos of either to learn from; but a round spot alone in the dark, or points
all over the upper half of it, can be told by rule. Brightness is that of ``brightness``: float32
(rows, columns), 0 to 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL.Image import Image

    FloatArray = npt.NDArray[np.float32]
    Spot = npt.NDArray[np.int_]

SIDE = 320
STARS = 20
DARK = 0.3


def is_dark(image: Image) -> bool:
    """Whether half of a photo is dark, which is cheap to ask of the many that are not."""
    half = image.width * image.height / 2
    return sum(image.convert("L").histogram()[: round(255 * DARK) + 1]) >= half


def brightness(image: Image) -> FloatArray:
    """A photo's brightness, its longer side 320 pixels at most."""
    import numpy as np

    small = image.convert("L")
    small.thumbnail((SIDE, SIDE))
    return np.asarray(small, np.float32) / 255.0


def shows_moon(grey: FloatArray) -> bool:
    """Whether a dark photo has one round spot, dark all round it, in its upper three quarters.

    A lamp looks the same; but lamps seldom come alone, and light what is under them.
    """
    import numpy as np

    peak = float(grey.max())
    if np.median(grey) > 0.2 or peak < 0.5:
        return False
    bright = grey > 0.45 * peak
    if not 12 <= bright.sum() <= 0.1 * bright.size:
        return False
    disc, *others = _spots(bright)
    if len(disc) < 12 or len(others) > 12 or (others and len(others[0]) > max(4, len(disc) // 10)):
        return False
    top, left = disc.min(0)
    bottom, right = disc.max(0) + 1
    height, width = grey.shape
    if min(top, left, height - bottom, width - right) < 2 or top + bottom > 1.5 * height:
        return False
    return _is_round(disc) and _around(grey, top, bottom, left, right) < 0.3


def shows_stars(grey: FloatArray) -> bool:
    """Whether a dark photo has points of light in most parts of a smooth upper half."""
    import numpy as np

    upper = grey[: len(grey) // 2]
    if min(upper.shape) < 16 or np.median(grey) > DARK or np.quantile(upper, 0.6) > DARK:
        return False
    mean = _mean(upper)
    # A tree against the light has points all over too, but no smooth dark between them.
    if np.quantile(np.abs(upper - mean), 0.7) > 0.025:
        return False
    padded = np.pad(upper, 1, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))
    brightest = (windows >= upper[:, :, None, None]).sum((2, 3)) == 1
    points = brightest & (upper > mean + 0.1) & (mean < 0.4)
    rows = np.array_split(points, 2)
    cells = [int(cell.sum()) for row in rows for cell in np.array_split(row, 4, axis=1)]
    return sorted(cells)[2] >= STARS


def _spots(bright: npt.NDArray[np.bool_]) -> list[Spot]:
    """Connected parts, largest first: rows and columns, (pixels, 2) each."""
    import numpy as np

    left = {(int(y), int(x)) for y, x in np.argwhere(bright)}
    found = []
    while left:
        reached, part = [left.pop()], []
        while reached:
            y, x = reached.pop()
            part.append((y, x))
            for near in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if near in left:
                    left.remove(near)
                    reached.append(near)
        found.append(np.array(part))
    return sorted(found, key=len, reverse=True)


def _is_round(spot: Spot) -> bool:
    """Whether a spot, its craters filled, is a full or gibbous disc by its box."""
    high, wide = spot.max(0) - spot.min(0) + 1
    filled = 0
    for row in set(spot[:, 0].tolist()):
        columns = spot[spot[:, 0] == row, 1]
        filled += int(columns.max() - columns.min()) + 1
    return bool(0.75 <= wide / high <= 1.34 and 0.56 <= filled / (high * wide) <= 0.92)


def _around(grey: FloatArray, top: int, bottom: int, left: int, right: int) -> float:
    """Mean brightness about a box, as far out as it is high, its own glow left aside."""
    far = max(3, bottom - top)
    outer = grey[max(0, top - far) : bottom + far, max(0, left - far) : right + far]
    inner = grey[top - 2 : bottom + 2, left - 2 : right + 2]
    return float((outer.sum() - inner.sum()) / max(1, outer.size - inner.size))


def _mean(grey: FloatArray) -> FloatArray:
    """The mean of the seven by seven pixels about each."""
    import numpy as np

    padded = np.pad(grey, 3, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (7, 7))
    mean: FloatArray = windows.mean((2, 3))
    return mean
