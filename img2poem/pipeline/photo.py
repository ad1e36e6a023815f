"""Open a photo: orientation, size limits, formats, clear errors."""

from __future__ import annotations

import re
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from img2poem.errors import UserError
from img2poem.models.base import Photo
from img2poem.settings import Settings

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
    | {".heic", ".heif", ".avif"}
)
_MAX_PIXELS = Settings().max_pixels

# EXIF tags (CIPA DC-008): the IFDs and the fields read from them.
_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_DATE_TIME_ORIGINAL, _DATE_TIME, _GPS_LATITUDE_REF = 0x9003, 0x0132, 1
_ORIENTATION = 0x0112


def looks_like_photo(path: Path) -> bool:
    """Whether a file's name ends like a photo's."""
    return path.suffix.lower() in SUFFIXES


def open_photo(
    path: Path, *, side: int = 1024, max_pixels: int = _MAX_PIXELS, metadata: bool = True
) -> Photo:
    """Decode a photo upright, in RGB, no larger than a model needs.

    JPEGs are decoded straight to a fraction of their size, which is what makes a folder of
    12-megapixel photos fast. Of an animation the first frame is taken.

    Args:
        path: the file.
        side: the shorter side is brought down to about this many pixels (never up).
        max_pixels: a larger picture is refused before any of it is decoded.
        metadata: read month, hour and hemisphere from EXIF.

    Raises:
        UserError: no such file, a folder, not a photo, too large, or damaged.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError
    from pillow_heif import register_heif_opener

    register_heif_opener()
    check_file(path)
    try:
        # Opened here, because Pillow would map an uncompressed TIFF into memory by its path,
        # and by the width it has after a quarter turn, which tears the rows apart.
        with _our_limit_alone, path.open("rb") as file, Image.open(file) as image:
            _refuse_huge(path, image, max_pixels)
            exif = image.getexif()
            shrink = max(1.0, min(image.size) / side)
            image.draft("RGB", (round(image.width / shrink), round(image.height / shrink)))
            image.load()
            # Scaled first: turning a copy of the whole would double what a photo takes.
            small = _scaled(_to_rgb(image, side), side)
            # Read after loading, which turns a TIFF; conversion may have dropped it.
            small.getexif()[_ORIENTATION] = image.getexif().get(_ORIENTATION, 1)
            upright = ImageOps.exif_transpose(small)
    except UserError:
        raise
    except UnidentifiedImageError as error:
        raise UserError(
            f"{path} is not a photo that can be read.",
            f"Formats: {', '.join(sorted(s.lstrip('.') for s in SUFFIXES))}.",
        ) from error
    except PermissionError as error:
        raise UserError(f"{path} may not be read.", "Check its permissions.") from error
    except Exception as error:  # on damaged bytes each decoder raises what it likes
        raise UserError(
            f"{path} is damaged and cannot be decoded ({_short(error)}).",
            "Open and save it again, or use another copy.",
        ) from error
    hints = _hints(exif) if metadata else {}
    return Photo(upright, path=str(path), **hints)


def check_file(path: Path) -> None:
    """Refuse a path that is no file; raises UserError."""
    if path.is_dir():
        raise UserError(f"{path} is a folder, not a photo.", f"For a folder: img2poem batch {path}")
    if path.is_symlink() and not path.exists():
        raise UserError(f"{path} is a link to a file that is not there.", "Mend or remove it.")
    if not path.exists():
        raise UserError(f"There is no file {path}.", "Check the path.")
    if not path.is_file():  # to open a pipe would wait for whoever writes into it
        raise UserError(f"{path} is a pipe or a device, not a photo.", "Give a file.")


class _OurLimitAlone:
    """Puts Pillow's own limit of pixels aside while any thread opens a photo.

    That limit cannot be raised for one photo; ours, just as early, can. It belongs to the whole
    process, so it is back when the last of the threads is done.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._opening = 0
        self._limit: int | None = None

    def __enter__(self) -> None:
        from PIL import Image

        with self._lock:
            if not self._opening:
                self._limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            self._opening += 1

    def __exit__(self, *_: object) -> None:
        from PIL import Image

        with self._lock:
            self._opening -= 1
            if not self._opening:
                Image.MAX_IMAGE_PIXELS = self._limit


_our_limit_alone = _OurLimitAlone()


def _refuse_huge(path: Path, image: Image, max_pixels: int) -> None:
    pixels = image.width * image.height
    if pixels > max_pixels:
        raise UserError(
            f"{path} has {image.width} x {image.height} pixels, more than the limit of "
            f"{max_pixels:,}.",
            f"If it is to be trusted: --max-pixels {pixels}",
        )


def _to_rgb(image: Image, side: int) -> Image:
    """Bring any mode to RGB: 16-bit grey scaled, transparency laid on white."""
    from PIL import Image as Pillow

    if image.mode == "RGB":
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return _scale_deep(image, side)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        converted = Pillow.new("RGB", image.size, "white")
        converted.paste(layer, mask=layer.getchannel("A"))
        return converted
    return image.convert("RGB")


def _scaled(image: Image, side: int) -> Image:
    """Bring the shorter side down to ``side`` pixels."""
    from PIL import Image as Pillow

    if min(image.size) <= side:
        return image
    factor = side / min(image.size)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Pillow.Resampling.BICUBIC, reducing_gap=2.0)


def _scale_deep(image: Image, side: int) -> Image:
    """16-bit and floating-point greys to 8 bits; plain ``convert`` would clip them to white.

    Scaled down as they are, since all of a large one in floating point takes gigabytes.
    """
    import numpy as np
    from PIL import Image as Pillow

    if image.mode == "F":  # a scan may hold NaN, which scaling would spread
        finite = np.nan_to_num(np.asarray(image), posinf=0.0, neginf=0.0)
        image = Pillow.fromarray(finite)
    elif image.mode != "I":  # Pillow scales no 16 bits
        image = image.convert("I")
    extremes: Any = image.getextrema()  # of one channel: a pair of numbers
    top = 65535.0 if image.mode == "I" and extremes[1] > 255 else 255.0
    if image.mode == "F" and extremes[1] <= 1.0:
        top = 1.0
    values = np.asarray(_scaled(image, side), dtype=np.float32)
    grey = np.clip(values * (255.0 / top), 0, 255).astype(np.uint8)
    return Pillow.fromarray(grey).convert("RGB")


def _hints(exif: Any) -> dict[str, Any]:
    """Month, hour and hemisphere, where the camera wrote sensible ones."""
    hints: dict[str, Any] = {}
    try:
        written = exif.get_ifd(_EXIF_IFD).get(_DATE_TIME_ORIGINAL) or exif.get(_DATE_TIME) or ""
        latitude = exif.get_ifd(_GPS_IFD).get(_GPS_LATITUDE_REF) or ""
    except Exception:  # EXIF is free-form bytes from any camera: damage there is no damage here
        return hints
    found = re.match(r"(\d{4})[:\-/](\d\d)[:\-/](\d\d)[ T](\d\d):", str(written))
    # Cameras that were never set write the epoch; a year before digital cameras says nothing.
    if found and int(found[1]) >= 1990 and 1 <= int(found[2]) <= 12 and int(found[4]) <= 23:
        hints = {"month": int(found[2]), "hour": int(found[4])}
    if str(latitude).strip("\x00 ").upper() == "S":
        hints["southern"] = True
    return hints


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 90 else text[:87] + "..."
