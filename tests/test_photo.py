"""Opening photos: every format upright and in RGB, every bad one a clear refusal."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps
from pillow_heif import register_heif_opener

from img2poem.errors import UserError
from img2poem.pipeline.photo import open_photo


def corner_picture(width: int = 64, height: int = 48) -> Image.Image:
    """Blue with a red top-left corner, so that a wrong turn shows."""
    image = Image.new("RGB", (width, height), "blue")
    image.paste("red", (0, 0, width // 4, height // 4))
    return image


def is_red(pixel: tuple[int, int, int]) -> bool:
    return pixel[0] > 180 and pixel[2] < 80


TURN_BACK = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def save_turned(picture: Image.Image, path: Path, orientation: int, **options: object) -> None:
    """Save a picture as a camera held at an angle does: turned, with a note how to turn it back."""
    register_heif_opener()
    turn = TURN_BACK[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = picture if turn is None else picture.transpose(turn)
    stored.save(path, exif=exif.tobytes(), **options)


def brightness(image: Image.Image) -> npt.NDArray[np.int_]:
    return np.asarray(image.convert("L")).astype(int)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("name", "modes", "options"),
    [
        ("a.jpg", ["RGB", "L", "CMYK"], {"quality": 95}),
        ("a.png", ["RGB", "L", "1", "P", "RGBA", "LA", "I;16"], {}),
        ("a.tiff", ["RGB", "L", "1", "P", "RGBA", "LA", "CMYK", "I;16", "F"], {}),
        (
            "packed.tiff",
            ["RGB", "L", "P", "RGBA", "CMYK", "I;16"],
            {"compression": "tiff_lzw"},
        ),
        ("a.webp", ["RGB", "RGBA"], {"lossless": True}),
        ("a.heic", ["RGB", "L", "RGBA"], {"quality": 95}),
        ("a.avif", ["RGB", "L", "RGBA"], {"quality": 95}),
    ],
)
def test_every_exif_orientation_comes_out_upright(
    tmp_path: Path, orientation: int, name: str, modes: list[str], options: dict[str, object]
) -> None:
    """Whatever the format and mode, and however the format itself notes the turn."""
    grey = Image.new("L", (64, 48), 40)
    grey.paste(255, (0, 0, 16, 12))  # one corner white, the next one grey
    grey.paste(140, (48, 0, 64, 12))
    for mode in modes:
        picture = grey.convert(mode)
        if mode == "I;16":
            picture = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
        save_turned(picture, tmp_path / name, orientation, **options)

        photo = open_photo(tmp_path / name)

        assert photo.image.size == (64, 48), mode
        expected = brightness(grey.convert("1") if mode == "1" else grey)
        assert np.abs(brightness(photo.image) - expected).mean() < 6, mode


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("a.png", "RGB"),
        ("a.png", "L"),
        ("a.png", "1"),
        ("a.png", "RGBA"),
        ("a.png", "LA"),
        ("a.png", "P"),
        ("a.png", "I;16"),
        ("a.jpg", "RGB"),
        ("a.jpg", "L"),
        ("a.jpg", "CMYK"),
        ("a.webp", "RGBA"),
        ("a.gif", "P"),
        ("a.bmp", "RGB"),
        ("a.tiff", "RGB"),
        ("a.tif", "CMYK"),
        ("a.tif", "F"),
        ("a.heic", "RGB"),
        ("a.avif", "RGB"),
    ],
)
def test_every_format_and_mode_becomes_rgb(tmp_path: Path, name: str, mode: str) -> None:
    register_heif_opener()
    if mode == "I;16":
        levels = np.linspace(0, 65535, 64 * 48).reshape(48, 64).astype(np.uint16)
        Image.fromarray(levels).save(tmp_path / name)
    else:
        corner_picture().convert(mode).save(tmp_path / name)
    photo = open_photo(tmp_path / name)
    assert photo.image.mode == "RGB"
    assert photo.image.size == (64, 48)


def test_sixteen_bit_grey_keeps_its_shades(tmp_path: Path) -> None:
    levels = np.linspace(0, 65535, 64 * 48).reshape(48, 64).astype(np.uint16)
    Image.fromarray(levels).save(tmp_path / "deep.png")
    values = np.asarray(open_photo(tmp_path / "deep.png").image)[..., 0]
    assert values.min() < 5
    assert values.max() > 250
    assert 110 < values.mean() < 145


def test_transparent_palette_is_laid_on_white(tmp_path: Path) -> None:
    image = Image.new("P", (10, 10), 0)
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.save(tmp_path / "clear.png", transparency=0)
    assert open_photo(tmp_path / "clear.png").image.getpixel((5, 5)) == (255, 255, 255)


def test_an_animation_gives_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    assert is_red(open_photo(tmp_path / "moving.gif").image.getpixel((4, 4)))


def test_a_large_photo_is_scaled_down_and_a_small_one_left_alone(tmp_path: Path) -> None:
    corner_picture(4000, 3000).save(tmp_path / "large.jpg")
    corner_picture(100, 90).save(tmp_path / "small.jpg")
    large = open_photo(tmp_path / "large.jpg", side=384).image
    assert large.size == (512, 384)
    assert is_red(large.getpixel((5, 5)))
    assert open_photo(tmp_path / "small.jpg", side=384).image.size == (100, 90)


def test_camera_metadata_is_read_and_can_be_ignored(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2021:07:15 21:05:00"
    exif.get_ifd(0x8825)[1] = "S"
    corner_picture().save(tmp_path / "dated.jpg", exif=exif)
    photo = open_photo(tmp_path / "dated.jpg")
    assert (photo.month, photo.hour, photo.southern) == (7, 21, True)
    plain = open_photo(tmp_path / "dated.jpg", metadata=False)
    assert (plain.month, plain.hour, plain.southern) == (None, None, False)


@pytest.mark.parametrize("written", ["0000:00:00 00:00:00", "1970:01:01 00:00:00", "soon", ""])
def test_a_camera_clock_that_was_never_set_is_no_hint(tmp_path: Path, written: str) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = written
    corner_picture().save(tmp_path / "undated.jpg", exif=exif)
    photo = open_photo(tmp_path / "undated.jpg")
    assert (photo.month, photo.hour) == (None, None)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no file .*gone\.jpg"):
        open_photo(tmp_path / "gone.jpg")


def test_a_folder_points_to_batch(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="img2poem batch"):
        open_photo(tmp_path)


def test_text_named_like_a_photo_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.jpg").write_text("这不是照片")
    with pytest.raises(UserError, match="not a photo"):
        open_photo(tmp_path / "notes.jpg")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(UserError, match="not a photo"):
        open_photo(tmp_path / "empty.jpg")


def test_a_truncated_jpeg_is_called_damaged(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (200, 300, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, "JPEG")
    (tmp_path / "cut.jpg").write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    with pytest.raises(UserError, match="damaged"):
        open_photo(tmp_path / "cut.jpg")


def huge_png(path: Path, side: int) -> None:
    """A valid one-bit PNG of side x side pixels that is small on disk."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    row = bytes(1 + side // 8)
    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


def test_a_decompression_bomb_is_refused_before_decoding(tmp_path: Path) -> None:
    huge_png(tmp_path / "bomb.png", 30_000)
    assert (tmp_path / "bomb.png").stat().st_size < 300_000
    with pytest.raises(UserError, match=r"30000 x 30000.*--max-pixels"):
        open_photo(tmp_path / "bomb.png")


def test_max_pixels_sets_the_limit(tmp_path: Path) -> None:
    corner_picture(100, 100).save(tmp_path / "p.png")
    with pytest.raises(UserError, match="limit of 9,999"):
        open_photo(tmp_path / "p.png", max_pixels=9_999)
    assert open_photo(tmp_path / "p.png", max_pixels=10_000).image.size == (100, 100)


def test_max_pixels_is_the_only_limit_and_pillows_own_is_left_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000)
    names = ["p.png", "p.tiff", "p.webp", "p.gif"]
    for name in names:
        corner_picture().save(tmp_path / name)
    (tmp_path / "notes.jpg").write_text("这不是照片")

    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(lambda name: open_photo(tmp_path / name).image, names * 20))
    for refused in (
        {"path": tmp_path / "notes.jpg"},
        {"path": tmp_path / "p.png", "max_pixels": 9},
    ):
        with pytest.raises(UserError):
            open_photo(**refused)

    assert {image.size for image in opened} == {(64, 48)}
    assert not recwarn.list
    assert Image.MAX_IMAGE_PIXELS == 1_000


@given(st.data())
def test_a_damaged_photo_never_does_worse_than_a_user_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    buffer = io.BytesIO()
    form = data.draw(st.sampled_from(["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"]))
    ImageOps.posterize(corner_picture(), 4).save(buffer, form)
    raw = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 8))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / f"photo.{form.lower()}"
    path.write_bytes(raw[: data.draw(st.integers(0, len(raw)))])
    try:
        assert open_photo(path, max_pixels=10**6).image.mode == "RGB"
    except UserError as error:
        assert error.problem and error.hint


@pytest.mark.parametrize("kind", [RuntimeError, TypeError, struct.error])
def test_whatever_a_decoder_raises_the_photo_is_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(path)

    def fail(*_: object) -> None:
        raise kind("color planes failed")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    with pytest.raises(UserError, match=r"damaged .*color planes failed"):
        open_photo(path)


def test_a_large_deep_grey_is_scaled_before_it_is_counted_in_floats(tmp_path: Path) -> None:
    shades = np.linspace(0, 65535, 3000 * 2000).reshape(2000, 3000).astype(np.uint16)
    Image.fromarray(shades).save(tmp_path / "deep.png")
    tracemalloc.start()
    photo = open_photo(tmp_path / "deep.png", side=200)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert photo.image.size == (300, 200)
    assert peak < 8 * shades.size  # as float64, which numpy reports, it would be more
    grey = brightness(photo.image)
    assert grey[0].mean() < 3 and grey[-1].mean() > 252


def test_a_pipe_and_a_link_to_nothing_are_refused_without_a_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(UserError, match="pipe or a device"):
        open_photo(tmp_path / "pipe.jpg")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "nowhere.jpg")
    with pytest.raises(UserError, match="link to a file that is not there"):
        open_photo(tmp_path / "link.jpg")
