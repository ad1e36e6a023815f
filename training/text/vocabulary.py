"""A vocabulary of 13,500 pieces from the 250,002 of multilingual-e5-small, and its rows.

Kept: every single Chinese character and mark that the texts use, then the most frequent
longer Chinese pieces. Added: the 3,938 characters of classical verse that the model lacks,
started from their Traditional form where it has that, else near the mean; and 64 spare
pieces that take characters never seen, by their code point.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from opencc import OpenCC
from tokenizers import Regex, Tokenizer, models, normalizers

from img2poem.models.builtin.text_tokens import SPARE_BASE, SPARE_PIECES, is_chinese

Floats = npt.NDArray[np.float32]
Piece = tuple[str, float]
SIZE = 13_500
NEW_PIECE_SCORE = -15.0
MARKS = "。,、?!;:“”‘’()《》·…—「」□0123456789"
SEEN_AT_LEAST = 4


def tokenizer_of(pieces: Iterable[Piece]) -> Tokenizer:
    """A Unigram tokenizer that reads white space as a comma and adds no marks."""
    tokenizer = Tokenizer(models.Unigram(list(pieces), unk_id=3))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), ",")]
    )
    return tokenizer


def choose(
    pieces: list[Piece], weighted: list[tuple[str, float]], more: Iterable[str]
) -> tuple[list[int], list[str]]:
    """Which pieces to keep, and which characters to add.

    Args:
        pieces: the base model's.
        weighted: cleaned texts, and how much each counts for longer pieces.
        more: further texts, for their characters alone.

    Returns:
        Row numbers of the base model's pieces, ascending, the four marks first; characters.
    """
    place = {piece: i for i, (piece, _) in enumerate(pieces)}
    full = tokenizer_of(pieces)
    counts: Counter[str] = Counter()
    for start in range(0, len(weighted), 20_000):
        some = weighted[start : start + 20_000]
        rows = full.encode_batch([text for text, _ in some], add_special_tokens=False)
        for row, (_, weight) in zip(rows, some, strict=True):
            for piece in row.tokens:
                counts[piece] += weight  # type: ignore[assignment]
    characters: Counter[str] = Counter()
    for text, _ in weighted:
        characters.update(text)
    for text in more:
        characters.update(text)
    chinese = [c for c in characters if is_chinese(c)]
    new = sorted(
        (c for c in chinese if c not in place and characters[c] >= SEEN_AT_LEAST),
        key=lambda c: -characters[c],
    )
    latin = [chr(code) for code in range(33, 127) if chr(code) in place]
    seen = [p for p in counts if len(p) == 1 and not is_chinese(p) and counts[p] >= 3]
    single = dict.fromkeys(
        [c for c in MARKS if c in place]
        + latin
        + [p for p in seen if place.get(p, 0) > 3]
        + [c for c in chinese if c in place]
    )
    longer = [
        piece
        for piece, _ in counts.most_common()
        if len(piece) > 1 and place.get(piece, 0) > 3 and all(is_chinese(c) for c in piece)
    ]
    room = SIZE - 4 - SPARE_PIECES - len(single) - len(new)
    return [0, 1, 2, 3, *sorted(place[p] for p in [*single, *longer[:room]])], new


def vocabulary(pieces: list[Piece], kept: list[int], new: list[str]) -> list[Piece]:
    """The chosen pieces, the new characters and the spare pieces, in the order of their rows."""
    spare = [chr(SPARE_BASE + i) for i in range(SPARE_PIECES)]
    return [pieces[i] for i in kept] + [(c, NEW_PIECE_SCORE) for c in [*new, *spare]]


def rows(words: Floats, pieces: list[Piece], kept: list[int], new: list[str]) -> Floats:
    """Embedding rows for that vocabulary, from the base model's ``words``."""
    place = {piece: i for i, (piece, _) in enumerate(pieces)}
    old = words[kept]
    random = np.random.RandomState(0)
    center, spread = old[2000:].mean(0), old[2000:].std(0)

    def near_the_mean(count: int) -> Floats:
        return center + 0.7 * spread * random.randn(count, words.shape[1])

    added = near_the_mean(len(new))
    to_traditional = OpenCC("s2t").convert
    for i, char in enumerate(new):
        traditional = to_traditional(char)
        if traditional != char and traditional in place:
            added[i] = words[place[traditional]]
    return np.concatenate([old, added, near_the_mean(SPARE_PIECES)]).astype(np.float32)
