"""What a verse is."""

from __future__ import annotations

from dataclasses import dataclass


def fits(value: object) -> bool:
    """Whether a value is no whole number, or one that an index holds: of 64 bits."""
    return not isinstance(value, int) or -(2**63) <= value < 2**63


@dataclass(frozen=True, slots=True)
class Verse:
    """One line of a poem: a couplet, or a sentence.

    Attributes:
        text: the verse, Simplified characters.
        translation: a rendering in modern Chinese; may be empty.
        title: the poem's title.
        author: the poet.
        dynasty: the poet's dynasty, as the source names it.
        kind: 诗, 词 or 曲.
        work_id: the poem's id in its source.
        line_no: the line's place in its poem, from 0.
        traditional: the source's own Traditional text, where it had one; else empty.
        occasions: what people would quote it for, in words of today, phrases apart by "；";
            may be empty.
    """

    text: str
    translation: str = ""
    title: str = ""
    author: str = ""
    dynasty: str = ""
    kind: str = ""
    work_id: int = 0
    line_no: int = 0
    traditional: str = ""
    occasions: str = ""

    @property
    def phrases(self) -> list[str]:
        """The occasions, one by one."""
        return [phrase.strip() for phrase in self.occasions.split("；") if phrase.strip()]
