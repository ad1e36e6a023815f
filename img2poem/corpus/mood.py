"""Verses too dark for a photo that shows nothing of the kind."""

from __future__ import annotations

import re

DARK, SAD = 1.0, 0.45

# Death, war, hunger: in a verse or its rendering. Names that only look so are passed over.
_DARK = re.compile(
    "死|尸|白骨|骸|枯骨|坟|墓|冢|鬼|葬|阵亡|伤亡|丧|饥|饿|弃|血|杀|屠|刃|战|刀|祭|悼|魂|妖|瘴|乞丐|贫|孤儿|亡国"
)
_NOT_DARK = re.compile("生死相许|饥鹰|魂牵|战袍|[不未没无莫忘][识知懂有]?忧?愁")
_SAD = re.compile(
    "泪|哭|泣|悲|哀|断肠|愁|恨|凄|怨|伤心|病|花事了|花落|花谢|落花|残红|残花|落红|凋|憔悴|失恋|分手|没人[疼懂陪爱吃]|骂"
)


def darkness(text: str) -> float:
    """How dark a text is.

    DARK if it speaks of death, war or hunger, SAD if of tears, of scolding or of flowers that
    are over, else 0.
    """
    text = _NOT_DARK.sub("", text)
    if _DARK.search(text):
        return DARK
    return SAD if _SAD.search(text) else 0.0
