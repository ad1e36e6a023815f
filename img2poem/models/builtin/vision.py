"""The built-in captioner: a small image network and two heads, run by onnxruntime and numpy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from img2poem.corpus.imagery import lexicon
from img2poem.models.base import Description, Imagery, Photo
from img2poem.models.builtin.describe import describe
from img2poem.models.builtin.night import brightness, is_dark, shows_moon, shows_stars
from img2poem.models.builtin.weights import read, session

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL.Image import Image

    FloatArray = npt.NDArray[np.float32]

SIDE = 260
BATCH = 4
CLIP = 4.0
CENTRE = 0.875
LEAST = 0.12
"""Tags less likely than this are not reported at all."""
DOUBT = 0.1
"""A share of ImageNet classes below this speaks against a tag that should raise it."""

_MORNING, _EVENING, _NIGHT = range(4, 11), range(15, 21), (21, 22, 23, 0, 1, 2, 3)


class BuiltinCaptioner:
    """Sees about eighty kinds of imagery, describes them, and puts the photo among texts.

    Each photo is read twice, whole and by its centre, and the two are averaged. The tags'
    probabilities are calibrated; the description names those that held-out photos showed to
    be right at least four times in five.

    Args:
        threads: how many threads onnxruntime may use; 0 lets it choose.
    """

    name = "builtin"
    photo_side = 360  # more than the model looks at, and an eighth of a 12-megapixel JPEG's side

    def __init__(self, threads: int = 0) -> None:
        import io

        import numpy as np

        settings = json.loads(_weights("heads.json"))
        self._tags = [row["tag"] for row in settings["tags"]]
        self._scale = np.array([row["scale"] for row in settings["tags"]], np.float32)
        self._offset = np.array([row["offset"] for row in settings["tags"]], np.float32)
        self._threshold = {row["tag"]: float(row["threshold"]) for row in settings["tags"]}
        self._classes: dict[str, list[int]] = settings["classes"]
        self._doubted = frozenset(settings["doubted"])
        self._vector_space: str = settings["vector_space"]
        with np.load(io.BytesIO(_weights("heads.npz"))) as arrays:
            self._heads = {name: arrays[name].astype(np.float32) for name in arrays.files}
        self._session = session(_weights("backbone.onnx"), threads)

    def describe(self, photos: Sequence[Photo]) -> list[Description]:
        """Describe each photo; the list has one Description a photo, in order."""
        described: list[Description] = []
        for start in range(0, len(photos), BATCH):
            described += self._describe(photos[start : start + BATCH])
        return described

    def tag_scores(self, photos: Sequence[Photo]) -> list[dict[str, float]]:
        """Calibrated probability of every tag the model knows, before any threshold."""
        found: list[dict[str, float]] = []
        for start in range(0, len(photos), BATCH):
            columns, classes = self._look(photos[start : start + BATCH])
            found += self._probabilities(columns, classes)
        return found

    def _describe(self, photos: Sequence[Photo]) -> list[Description]:
        import numpy as np

        columns, classes = self._look(photos)
        vectors = self._head("vector", columns).mean(0)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return [
            self._description(photo, tags, vector)
            for photo, tags, vector in zip(
                photos, self._probabilities(columns, classes), vectors, strict=True
            )
        ]

    def _description(self, photo: Photo, tags: dict[str, float], vector: FloatArray) -> Description:
        tags = hinted(by_night(tags, photo.image), photo)
        sure = {t: p for t, p in tags.items() if p >= self._threshold.get(t, 0.5)}
        seen = widened({t: p for t, p in tags.items() if p >= LEAST})
        ranked = sorted(seen.items(), key=lambda pair: -pair[1])
        return Description(
            text=describe(sure),
            imagery=tuple(Imagery(tag, round(p, 4)) for tag, p in ranked),
            model=self.name,
            vector=vector,
            vector_space=self._vector_space,
        )

    def _look(self, photos: Sequence[Photo]) -> tuple[FloatArray, FloatArray]:
        """Columns the heads read, (2 views, n, columns), and ImageNet classes, (n, 1000)."""
        import numpy as np

        pictures = [pixels(photo.image) for photo in photos]
        batch = np.stack([view for views in pictures for view in views])
        features, logits = self._session.run(None, {"x": batch})
        features = features.reshape(len(photos), 2, -1).transpose(1, 0, 2)
        logits = logits.reshape(len(photos), 2, -1).transpose(1, 0, 2)
        colours = np.stack([light(photo.image) for photo in photos])
        columns = np.concatenate(
            [
                np.sqrt(np.maximum(features, 0)),
                logits - logits.mean(-1, keepdims=True),
                np.broadcast_to(colours, (2, *colours.shape)),
            ],
            axis=-1,
        )
        classes = np.exp(logits - logits.max(-1, keepdims=True))
        classes /= classes.sum(-1, keepdims=True)
        return columns, classes.mean(0)

    def _head(self, name: str, columns: FloatArray) -> FloatArray:
        """A head's outputs for both views: one hidden layer with GELU."""
        import numpy as np

        part = self._heads
        x = (columns - part[f"{name}.mean"]) / part[f"{name}.spread"]
        x = np.clip(x, -CLIP, CLIP)
        x = _gelu(x @ part[f"{name}.w1"] + part[f"{name}.b1"])
        out: FloatArray = x @ part[f"{name}.w2"] + part[f"{name}.b2"]
        return out

    def _probabilities(self, columns: FloatArray, classes: FloatArray) -> list[dict[str, float]]:
        import numpy as np

        logits = self._head("tags", columns).mean(0) * self._scale + self._offset
        learnt = 1.0 / (1.0 + np.exp(-logits))
        found = []
        for row, shares in zip(learnt, classes, strict=True):
            tags = dict(zip(self._tags, map(float, row), strict=True))
            for tag, members in self._classes.items():
                share = float(shares[members].sum())
                if tag in self._doubted:
                    tags[tag] = tags.get(tag, 0.0) * min(1.0, 0.3 + share / DOUBT)
                # What ImageNet's thousand classes say counts nine tenths; either may be right.
                tags[tag] = max(tags.get(tag, 0.0), 0.9 * share)
            found.append(tags)
        return found


def pixels(image: Image) -> tuple[FloatArray, FloatArray]:
    """The whole photo squashed to a square, and its centre: two (3, SIDE, SIDE), about -1 to 1."""
    import numpy as np
    from PIL.Image import Resampling

    def scaled(picture: Image) -> FloatArray:
        array = (np.asarray(picture, np.float32) - 127.0) / 128.0
        return array.transpose(2, 0, 1)

    width, height = image.size
    side = max(1, round(CENTRE * min(width, height)))
    left, top = (width - side) // 2, (height - side) // 2
    box = (left, top, left + side, top + side)
    whole = image.resize((SIDE, SIDE), Resampling.BICUBIC)
    centre = image.resize((SIDE, SIDE), Resampling.BICUBIC, box=box)
    return scaled(whole), scaled(centre)


def light(image: Image) -> FloatArray:
    """Mean and spread of colour in each cell of a four by four grid, (96,)."""
    import numpy as np
    from PIL.Image import Resampling

    small = np.asarray(image.resize((64, 64), Resampling.BILINEAR), np.float32) / 255.0
    cells = small.reshape(4, 16, 4, 16, 3).transpose(0, 2, 1, 3, 4).reshape(16, 256, 3)
    return np.concatenate([cells.mean(1).ravel(), cells.std(1).ravel()])


def by_night(tags: dict[str, float], image: Image) -> dict[str, float]:
    """Add moon or stars where the light shows them and nobody stands in it."""
    if widened(tags).get("人", 0.0) > 0.3 or not is_dark(image):
        return tags
    grey = brightness(image)
    seen = "月" if shows_moon(grey) else "星空" if shows_stars(grey) else ""
    if not seen:
        return tags
    dry = {tag: p for tag, p in tags.items() if tag != "雨"}  # Stars look like drops to the heads.
    return dry | {seen: 0.8, "夜": max(0.8, tags.get("夜", 0.0))}


def hinted(tags: dict[str, float], photo: Photo) -> dict[str, float]:
    """Let what is seen speak for season and hour, and the file's date tip what is open.

    The date only chooses between readings of something seen (a low sun is dawn or dusk) or
    lifts a season that the photo already suggests; alone it says nothing.
    """
    found = dict(tags)
    low_sun = found.get("日出日落", 0.0)
    if low_sun:
        if photo.hour is not None and photo.hour in _MORNING:
            found["清晨"] = 0.9 * low_sun
        else:
            certain = 0.95 if photo.hour is not None and photo.hour in _EVENING else 0.75
            found["黄昏"] = certain * low_sun
    if photo.hour is not None and photo.hour in _NIGHT and found.get("夜", 0.0) > 0.2:
        found["夜"] = min(0.98, 1.3 * found["夜"])
    season = _season(photo)
    for sign, named, share in (
        ("红叶秋叶", "秋", 0.9), ("桃花樱花", "春", 0.9), ("雪", "冬", 0.85), ("荷花", "夏", 0.85)
    ):  # fmt: skip
        if found.get(sign, 0.0):
            found[named] = (share if season in ("", named) else 0.6) * found[sign]
    return found


def _season(photo: Photo) -> str:
    if photo.month is None:
        return ""
    month = (photo.month + 5) % 12 + 1 if photo.southern else photo.month
    return "冬春夏秋"[month % 12 // 3]


def widened(tags: dict[str, float]) -> dict[str, float]:
    """Tags and the wider ones they imply: 荷花 is also 花."""
    wide = dict(tags)
    for tag, p in tags.items():
        for parent in lexicon().parents(tag):
            wide[parent] = max(wide.get(parent, 0.0), p)
    return wide


def _gelu(x: FloatArray) -> FloatArray:
    """GELU by a rational approximation of the error function (Abramowitz and Stegun 7.1.26)."""
    import numpy as np

    z = np.abs(x) * np.float32(0.70710678)
    t = 1.0 / (1.0 + 0.3275911 * z)
    poly = t * (
        0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))
    )
    erf = np.sign(x) * (1.0 - poly * np.exp(-z * z))
    out: FloatArray = 0.5 * x * (1.0 + erf)
    return out


def _weights(name: str) -> bytes:
    return read("vision", name, "--captioner")
