"""From tags to one or two sentences of modern Chinese.

A small scene grammar: when (season, hour, weather), where (the main place), who and what is
there, what stands around it, how the light is. Only tags that are given are named, and
nothing is said of number, colour or doing that the tags do not say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from img2poem.corpus.imagery import lexicon

_SEASONS = {"春": "春天", "夏": "夏天", "秋": "秋天", "冬": "冬天"}
_HOURS = {"清晨": "清晨", "黄昏": "傍晚", "夜": "夜里"}

# Where it happens: tag -> (the place one is in, the place as a sight of its own). The narrower
# the place, the earlier it stands.
_PLACES = {
    "沙滩": ("沙滩上", "一片沙滩"),
    "溪": ("小溪边", "一条小溪流过"),
    "瀑布": ("瀑布下", "瀑布倾泻而下"),
    "湖": ("湖边", "一片湖水"),
    "江河": ("河边", "河水流过"),
    "海": ("海边", "一片大海"),
    "水": ("水边", "一片水面"),
    "园林": ("园林里", "一座园林"),
    "桥": ("桥边", "有一座桥"),
    "街道": ("街上", "一条街道伸向前方"),
    "森林": ("树林里", "一片树林"),
    "草原": ("草原上", "草原一望无际"),
    "田野": ("田野里", "一片田野"),
    "沙漠": ("沙漠里", "沙漠一望无际"),
    "悬崖": ("悬崖上", "悬崖耸立"),
    "雪山冰川": ("雪山下", "雪山耸立"),
    "山": ("山间", "山峦起伏"),
    "宫殿": ("宫殿前", "宫殿矗立"),
    "塔寺": ("寺塔前", "寺塔矗立"),
    "古建筑": ("古建筑前", "古建筑矗立"),
    "村舍茅屋": ("农舍旁", "这里有农舍"),
    "城市高楼": ("城市里", "城市里高楼林立"),
    "草": ("草地上", "一片青草"),
}
_WATERS = ("湖", "江河", "海")
_ON_WATER = {"湖": "湖面上", "江河": "河面上", "海": "海面上", "水": "水面上"}
_ALIKE = 0.25
"""Waters this close in probability are not told apart: the sentence says water."""

# What may stand around a place, as a clause of its own.
_AROUND = {
    "雪山冰川": "远处是雪山",
    "山": "远处有山",
    "城市高楼": "高楼林立",
    "瀑布": "瀑布倾泻而下",
    "桥": "水上有桥",
    "塔寺": "旁边有寺塔",
    "宫殿": "旁边有宫殿",
    "村舍茅屋": "旁边有农舍",
    "森林": "周围是树林",
    "草": "地上长着青草",
    "沙滩": "岸边是沙滩",
    "悬崖": "旁边是悬崖",
    "海": "旁边就是大海",
    "江河": "旁边有河水流过",
    "湖": "旁边有湖水",
    "溪": "小溪流过",
}

# Who and what: people and animals first, then things.
_BEINGS = {
    "儿童": "孩子", "女子": "女子", "人群": "人群", "人": "人",
    "猫": "猫", "狗": "狗", "马": "马", "牛": "牛", "羊": "羊", "鹿": "鹿", "虎": "老虎",
    "猿猴": "猴子", "兔": "兔子", "熊": "熊", "大象": "大象", "骆驼": "骆驼", "鸡": "鸡",
    "鸭": "鸭子", "雁鹅": "鹅", "鹤鹭": "白鹭", "鹰": "鹰", "孔雀": "孔雀", "鸟": "鸟",
    "蛙": "青蛙", "蝉": "蝉",
}  # fmt: skip
_INSECTS = {"蝴蝶": "蝴蝶", "蜜蜂": "蜜蜂", "蜻蜓": "蜻蜓"}
_BEASTS = ("猫", "狗", "马", "牛", "羊", "鹿", "虎", "猿猴", "兔", "熊", "大象", "骆驼")
_SECOND_BEAST = 0.9
_FLIERS = ("鹰", "鸟", "鹤鹭")
_THINGS = {
    "舟船": "船", "车": "车", "乐器": "乐器", "书": "书", "茶": "茶", "咖啡": "咖啡",
    "酒": "酒",
    "美食": "饭菜", "秋千": "秋千",
}  # fmt: skip
_FLOWERS = {
    "荷花": "荷花", "菊花": "菊花", "玫瑰月季": "玫瑰", "桃花樱花": "桃花", "牡丹": "牡丹",
    "梅花": "梅花", "兰花": "兰花", "花": "花",
}  # fmt: skip

# The light and the air, each a clause.
_AIR = {
    "日出日落": "天边有霞光",
    "月": "天上有月亮",
    "星空": "满天星星",
    "雷电风暴": "闪电划破夜空",
    "雾": "雾气弥漫",
    "雨": "下着雨",
    "雪": "积雪未消",
    "霜": "结着白霜",
    "云": "天上有云",
    "晴空": "天空晴朗",
    "灯火": "灯火亮着",
}
_MOST_CLAUSES = 5


def describe(sure: Mapping[str, float]) -> str:
    """Say what is sure.

    Args:
        sure: tag to probability, only tags certain enough to be claimed.

    Returns:
        One or two sentences; empty if nothing of it can be said.
    """
    tags = _narrowest(sure)
    place = _place(tags)
    scene = _scene(tags, place)
    around = [] if place is None else _around(tags, place)
    air = [clause for tag, clause in _air(tags, place).items() if tag in tags]
    if any(clause.startswith("天空中") for clause in scene):
        air = [clause for clause in air if clause != _AIR["晴空"]]
    clauses = list(dict.fromkeys([*scene, *around[:2], *air[:2]]))[:_MOST_CLAUSES]
    when = _when(tags)
    if not clauses:
        return f"{when}。" if when else ""
    if when:
        clauses = [f"{when}，{clauses[0]}", *clauses[1:]]
    if len(clauses) <= 3:
        return "，".join(clauses) + "。"
    return "，".join(clauses[:2]) + "。" + "，".join(clauses[2:]) + "。"


def _narrowest(sure: Mapping[str, float]) -> dict[str, float]:
    """Without the wider tags that a narrower one says already."""
    implied = {parent for tag in sure for parent in lexicon().parents(tag)}
    kept = {tag: p for tag, p in sure.items() if tag not in implied or tag in _SEASONS}
    return _tell_apart(kept)


def _tell_apart(tags: dict[str, float]) -> dict[str, float]:
    """Without what two tags can hardly both be right about."""
    waters = sorted((t for t in _WATERS if t in tags), key=lambda t: -tags[t])
    if len(waters) > 1:
        first, second = waters[:2]
        unsure = tags[first] - tags[second] < _ALIKE
        keep = "海" if "海" in waters and "沙滩" in tags else "水" if unsure else first
        likeliest = tags[first]
        tags = {t: p for t, p in tags.items() if t not in waters} | {keep: likeliest}
    beasts = sorted((t for t in _BEASTS if t in tags), key=lambda t: -tags[t])
    tags = {t: p for t, p in tags.items() if t not in beasts[1:] or p >= _SECOND_BEAST}
    if "雷电风暴" in tags:
        tags.pop("雪", None)
    if "夜" in tags and not {"街道", "灯火", "伞", "人"} & set(tags):
        tags.pop("雨", None)  # Stars and noise in a dark sky look like drops.
    return tags


def _when(tags: Mapping[str, float]) -> str:
    season = _likeliest(_SEASONS, tags)
    hour = _likeliest(_HOURS, tags)
    if season and hour:
        return f"{_SEASONS[season]}的{_HOURS[hour]}"
    if season:
        return _SEASONS[season]
    return _HOURS[hour] if hour else ""


def _place(tags: Mapping[str, float]) -> str | None:
    """The surest place; a narrow one wins over a wider one nearly as sure."""
    best, least = None, 0.0
    for tag in _PLACES:
        if tag in tags and tags[tag] > least:
            best, least = tag, tags[tag] + 0.15
    return best


def _scene(tags: Mapping[str, float], place: str | None) -> list[str]:
    """The clauses about what is at the place; the place itself if nothing is."""
    clauses: list[str] = []
    where = _PLACES[place][0] if place else ""
    if place is None and "雪" in tags:
        where = "雪地里"
        if not set(tags) & {*_BEINGS, *_THINGS, *_FLOWERS, "树"}:
            return ["地上积着雪", *_plants(tags, "")]
    beings = _most(_BEINGS, tags, 2)
    things = _most(_THINGS, tags, 2)
    if "舟船" in things and place in _ON_WATER:
        clauses.append(f"{_ON_WATER[place]}有船")
        things.remove("舟船")
    if not where and beings and all(tag in _FLIERS for tag in beings):
        where = "天空中" if {"晴空", "云"} & set(tags) else ""
    named = _joined([*(_BEINGS[t] for t in beings), *(_THINGS[t] for t in things)])
    if "伞" in tags:
        has_people = bool({"人", "儿童", "女子", "人群"} & set(beings))
        named = f"{named}，还有雨伞" if named and not has_people else named
        if has_people:
            clauses.append("人们撑着伞" if "人群" in beings else "有人撑着伞")
        elif not named:
            named = "雨伞"
    if named:
        clauses.insert(0, f"{where or '这里'}有{named}")
    if "鱼" in tags:
        clauses.append("水里有鱼")
    clauses += _plants(tags, "" if clauses else where)
    if place and not any(clause.startswith(where) for clause in clauses):
        sight = _ON_WATER.get(place, "")
        if not (sight and any(clause.startswith(sight) for clause in clauses)):
            clauses.insert(0, _PLACES[place][1])
    return clauses


def _plants(tags: Mapping[str, float], where: str) -> list[str]:
    clauses: list[str] = []
    flowers = _most(_FLOWERS, tags, 2)
    insects = _joined([_INSECTS[t] for t in _most(_INSECTS, tags, 2)])
    if flowers:
        bloom = _joined([_FLOWERS[t] for t in flowers])
        clauses.append(f"{where}{'开着' if where else ''}{bloom}{'' if where else '开了'}")
    if insects:
        clauses.append(f"花间有{insects}" if flowers else f"{where or '这里'}有{insects}")
    if "红叶秋叶" in tags:
        clauses.append("秋叶正红" if "树" not in tags else "树上的秋叶红了")
    elif "树" in tags and not flowers:
        clauses.append(f"{where}有树" if where else "有树")
    if "竹" in tags:
        clauses.append("竹叶茂密")
    if "果实" in tags:
        clauses.append("果子熟了")
    return clauses


def _around(tags: Mapping[str, float], place: str) -> list[str]:
    """What else is about, the surest first."""
    water = place in _ON_WATER or place == "溪"
    found = []
    for tag in sorted((t for t in _AROUND if t in tags and t != place), key=lambda t: -tags[t]):
        if tag in ("湖", "江河") and place in ("溪", "瀑布", "桥", "沙滩"):
            continue
        if tag == "桥" and not water:
            found.append("旁边有桥")
        elif tag in ("山", "雪山冰川") and place in ("山", "雪山冰川", "悬崖"):
            continue
        else:
            found.append(_AROUND[tag])
    return found


def _air(tags: Mapping[str, float], place: str | None) -> dict[str, str]:
    clauses = dict(_AIR)
    if "夜" not in tags:
        clauses["雷电风暴"] = "乌云密布，风暴将至"
    if place in (None, "雪山冰川"):
        clauses.pop("雪")  # The place says it: a snowy mountain, or the snow one stands in.
    if "日出日落" in tags:
        if "清晨" in tags:
            clauses["日出日落"] = "天边有朝霞"
        elif "黄昏" in tags:
            clauses["日出日落"] = "天边挂着夕阳"
        clauses.pop("晴空")
    if "雷电风暴" in tags or "雾" in tags or "雨" in tags:
        clauses.pop("晴空", None)
        clauses.pop("云")
    return clauses


def _most(names: Mapping[str, str], tags: Mapping[str, float], limit: int) -> list[str]:
    """The surest of a group, in the group's order."""
    surest = sorted((t for t in names if t in tags), key=lambda t: -tags[t])[:limit]
    return [tag for tag in names if tag in surest]


def _likeliest(names: Iterable[str], tags: Mapping[str, float]) -> str:
    return max((t for t in names if t in tags), key=lambda t: tags[t], default="")


def _joined(words: list[str]) -> str:
    return "和".join(words) if len(words) <= 2 else "、".join(words[:-1]) + "和" + words[-1]
