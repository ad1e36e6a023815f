"""The built-in captioner on photos, walls and screens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from img2poem.corpus.imagery import lexicon
from img2poem.errors import UserError
from img2poem.models.base import Photo
from img2poem.models.builtin.night import brightness, shows_moon, shows_stars
from img2poem.models.builtin.text import BuiltinEmbedder
from img2poem.models.builtin.vision import BuiltinCaptioner, by_night, hinted, pixels, widened
from img2poem.pipeline.asking import Ask
from img2poem.pipeline.photo import open_photo

PHOTOS = Path(__file__).parent.parent / "data" / "photos"


@pytest.fixture(scope="module")
def captioner() -> BuiltinCaptioner:
    return BuiltinCaptioner(threads=1)


def test_the_shipped_heads_put_photos_into_the_space_of_the_shipped_embedder(
    captioner: BuiltinCaptioner,
) -> None:
    photo = open_photo(PHOTOS / "cat.jpg", side=captioner.photo_side)
    seen = captioner.describe([photo])[0]
    assert seen.vector is not None
    assert seen.vector_space == BuiltinEmbedder().fingerprint


def sample(captioner: BuiltinCaptioner, name: str) -> dict[str, float]:
    photo = open_photo(PHOTOS / f"{name}.jpg", side=captioner.photo_side)
    return {i.tag: i.score for i in captioner.describe([photo])[0].imagery}


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("cat", "猫"),
        ("snow-peaks", "雪山冰川"),
        ("autumn-hills", "山"),
        ("lake-pavilion", "古建筑"),
        ("sunset-ridge", "日出日落"),
        ("dandelions", "花"),
        ("orange-flower", "花"),
        ("forest-brook", "溪"),
        ("astronaut", "人"),
        ("stars", "星空"),
    ],
)
def test_it_sees_what_the_sample_photos_show(
    captioner: BuiltinCaptioner, name: str, tag: str
) -> None:
    assert sample(captioner, name).get(tag, 0.0) > 0.5


# What each sample photo may be said to show: everything a person would grant.
SHOWN = {
    "cat": {"猫"},
    "coffee": {"茶", "酒", "美食"},
    "snow-peaks": {"山", "雪", "雪山冰川", "云", "冬", "人", "草", "悬崖", "晴空"},
    "dogs-at-door": {"狗", "门", "窗"},
}


@pytest.mark.parametrize("name", sorted(SHOWN))
def test_the_description_claims_only_what_the_photo_shows(
    captioner: BuiltinCaptioner, name: str
) -> None:
    photo = open_photo(PHOTOS / f"{name}.jpg", side=captioner.photo_side)
    text = captioner.describe([photo])[0].text
    assert set(lexicon().find_modern(text)) <= SHOWN[name], text


def test_coffee_is_called_coffee_and_asks_for_verses_about_tea(captioner: BuiltinCaptioner) -> None:
    photo = open_photo(PHOTOS / "coffee.jpg", side=captioner.photo_side)
    (seen,) = captioner.describe([photo])
    assert "咖啡" in seen.text and "茶" not in seen.text
    assert "茶" not in {i.tag for i in seen.imagery}
    assert (Ask("", photo, seen).imagery or {})["茶"] > 0.4


def screenshot() -> Image.Image:
    page = Image.new("RGB", (900, 600), "white")
    draw = ImageDraw.Draw(page)
    for line in range(20):
        draw.text((40, 20 + 28 * line), "def total(rows): return sum(rows)", "black")
    return page


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGB", (400, 300), "white"),
        Image.new("RGB", (400, 300), (128, 120, 110)),
        Image.new("RGB", (300, 400), "black"),
        screenshot(),
    ],
    ids=["white", "wall", "black", "screenshot"],
)
def test_it_says_little_of_nothing_in_particular(
    captioner: BuiltinCaptioner, image: Image.Image
) -> None:
    assert len(captioner.describe([Photo(image)])[0].text) <= 6


def test_a_batch_says_what_single_photos_say(captioner: BuiltinCaptioner) -> None:
    names = sorted(path.name for path in PHOTOS.glob("*.jpg"))[:3]
    photos = [open_photo(PHOTOS / name, side=384) for name in names]
    together = captioner.describe(photos)
    alone = [captioner.describe([photo])[0] for photo in photos]
    assert [d.text for d in together] == [d.text for d in alone]
    for one, other in zip(together, alone, strict=True):
        assert one.vector is not None and other.vector is not None
        assert float(one.vector @ other.vector) > 0.999
        assert abs(float(np.linalg.norm(one.vector)) - 1) < 1e-4


def test_no_photos_give_no_descriptions(captioner: BuiltinCaptioner) -> None:
    assert captioner.describe([]) == []


def test_scores_are_ordered_probabilities(captioner: BuiltinCaptioner) -> None:
    scores = list(sample(captioner, "forest-brook").values())
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 600), st.integers(1, 600))
def test_any_shape_becomes_two_views(width: int, height: int) -> None:
    whole, centre = pixels(Image.new("RGB", (width, height), "green"))
    assert whole.shape == centre.shape == (3, 260, 260)


def test_the_date_alone_says_nothing() -> None:
    winter = Photo(Image.new("RGB", (8, 8)), month=1, hour=23)
    assert hinted({"花": 0.9}, winter) == {"花": 0.9}


def test_the_hour_tells_dawn_from_dusk() -> None:
    low_sun = {"日出日落": 0.9}
    morning = hinted(low_sun, Photo(Image.new("RGB", (8, 8)), hour=6))
    evening = hinted(low_sun, Photo(Image.new("RGB", (8, 8)), hour=19))
    assert "清晨" in morning and "黄昏" not in morning
    assert "黄昏" in evening and "清晨" not in evening


def test_the_season_is_the_other_one_south_of_the_equator() -> None:
    image = Image.new("RGB", (8, 8))
    north = hinted({"红叶秋叶": 0.9}, Photo(image, month=10))
    south = hinted({"红叶秋叶": 0.9}, Photo(image, month=10, southern=True))
    assert north["秋"] > south["秋"]


def test_a_narrow_tag_brings_its_wider_ones() -> None:
    assert widened({"荷花": 0.8, "花": 0.3})["花"] == 0.8


def night(size: tuple[int, int] = (480, 360)) -> Image.Image:
    return Image.new("RGB", size, (8, 9, 16))


def sky(image: Image.Image) -> list[bool]:
    grey = brightness(image)
    return [shows_moon(grey), shows_stars(grey)]


@pytest.mark.parametrize("size", [(480, 360), (360, 480), (4000, 3000), (33, 21), (3, 1)])
def test_a_dark_photo_shows_neither_moon_nor_stars(size: tuple[int, int]) -> None:
    assert sky(night(size)) == [False, False]


@pytest.mark.parametrize("radius", [6, 20, 60])
def test_a_disc_alone_in_the_dark_is_the_moon(radius: int) -> None:
    image = night()
    box = (200 - radius, 120 - radius, 200 + radius, 120 + radius)
    ImageDraw.Draw(image).ellipse(box, fill=(240, 235, 210))
    assert sky(image) == [True, False]


def test_lamps_screens_and_low_lights_are_not_the_moon() -> None:
    lamps, screen, low, day = (
        night(),
        night(),
        night(),
        Image.new("RGB", (480, 360), (90, 140, 220)),
    )
    for x in (100, 240, 380):
        ImageDraw.Draw(lamps).ellipse((x, 100, x + 24, 124), fill=(255, 220, 150))
    ImageDraw.Draw(screen).rectangle((200, 100, 260, 140), fill=(250, 250, 250))
    ImageDraw.Draw(low).ellipse((200, 310, 230, 340), fill=(255, 220, 150))
    ImageDraw.Draw(day).ellipse((200, 60, 240, 100), fill=(255, 255, 255))
    for image in (lamps, screen, low, day):
        assert sky(image) == [False, False]


def test_points_all_over_the_upper_half_are_stars_and_a_lit_town_below_is_not() -> None:
    random = np.random.default_rng(4)
    stars, town = night(), night()
    for _ in range(1500):
        x, y = (int(random.integers(side)) for side in stars.size)
        stars.putpixel((x, y), (255, 250, 240))
        town.putpixel((x, 200 + y * 160 // 360), (255, 220, 150))
    assert sky(stars) == [False, True]
    assert sky(town) == [False, False]
    assert by_night({"雨": 0.8, "夜": 0.9}, stars) == {"星空": 0.8, "夜": 0.9}
    assert by_night({"雨": 0.8, "夜": 0.9}, town) == {"雨": 0.8, "夜": 0.9}


PEOPLE = ["人", *(tag for tag in lexicon().tags if "人" in lexicon().parents(tag))]


@pytest.mark.parametrize("person", PEOPLE)
def test_whoever_stands_in_the_dark_is_no_moonlit_night(person: str) -> None:
    image = night()
    ImageDraw.Draw(image).ellipse((180, 100, 220, 140), fill=(240, 235, 210))
    assert by_night({person: 0.9}, image) == {person: 0.9}
    assert by_night({person: 0.1}, image) == {person: 0.1, "月": 0.8, "夜": 0.8}


def test_missing_weights_say_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("img2poem.models.builtin.weights.files", lambda _: tmp_path)
    with pytest.raises(UserError, match=r"heads\.json is missing.*--captioner"):
        BuiltinCaptioner()
