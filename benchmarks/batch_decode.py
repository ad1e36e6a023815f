"""Batch: photos a second on 12-megapixel JPEGs, against decoding at full size in turn.

    python benchmarks/batch_decode.py [FOLDER]

FOLDER holds JPEGs to try; by default 40 are made from the sample photos, scaled up to
4,000 x 3,000. Both sides find the same verses with the same models: ours decodes ahead on
threads, straight to the size the captioner needs, and describes in batches; the other
decodes each photo at full size, scales it down and asks, one after another.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from PIL import Image, ImageOps

import img2poem
from img2poem.models.base import Photo
from img2poem.pipeline.batch import find_photos, run_batch
from img2poem.pipeline.pipeline import Ask, Pipeline

SAMPLES = Path(__file__).parents[1] / "data" / "photos"
COUNT = 40


def make_large(folder: Path) -> None:
    """Sample photos at 12 megapixels."""
    samples = sorted(SAMPLES.glob("*.jpg"))
    for number in range(COUNT):
        image = Image.open(samples[number % len(samples)]).convert("RGB")
        large = ImageOps.fit(image, (4000, 3000), Image.Resampling.BICUBIC)
        large.save(folder / f"{number:03}.jpg", quality=90)


def one_after_another(pipeline: Pipeline, folder: Path) -> None:
    """Full decoding, one photo at a time."""
    side = getattr(pipeline.captioner, "photo_side", 1024)
    for path in find_photos(folder):
        image = ImageOps.exif_transpose(Image.open(path).convert("RGB"))
        image.thumbnail((side * 4 // 3, side * 4 // 3), Image.Resampling.BICUBIC)
        photo = Photo(image, str(path))
        seen = pipeline.captioner.describe([photo])[0]
        pipeline.answer([Ask("", photo, seen)], k=1)


def main(folder: Path) -> None:
    """Time both sides, warm, in turn."""
    pipeline = img2poem.load()
    photos = find_photos(folder)
    pipeline.query(photo=photos[0])  # loads the models
    with tempfile.TemporaryDirectory() as out:
        run_batch(pipeline, folder, Path(out) / "warm.csv")  # both sides know these verses then
        for round_number in range(3):
            began = time.perf_counter()
            run_batch(pipeline, folder, Path(out) / f"{round_number}.csv")
            ours = len(photos) / (time.perf_counter() - began)
            began = time.perf_counter()
            one_after_another(pipeline, folder)
            theirs = len(photos) / (time.perf_counter() - began)
            print(
                f"batch {ours:.1f} photos/s, one after another {theirs:.1f}: "
                f"{ours / theirs:.1f} times"
            )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as name:
            make_large(Path(name))
            main(Path(name))
