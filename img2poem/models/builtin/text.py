"""The built-in text model: one encoder that searches with a vector a text, and reranks with
a vector a token; run by onnxruntime."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from img2poem.models.builtin.weights import read, runtime, session

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from img2poem.corpus.verse import Verse
    from img2poem.models.base import TextKind

    FloatArray = npt.NDArray[np.float32]
    IntArray = npt.NDArray[np.int64]

# Longer texts are cut at so many pieces.
MAX_TEXT_TOKENS = 126
MAX_QUERY_TOKENS = 96
MAX_VERSE_TOKENS = 64
BATCH = 32
KEPT_READINGS = 8_000  # about 60 MB
# How much the token vectors say beside the cosine, chosen on development rows: each is wrong
# where the other is not.
TOKENS_WEIGHT = 1.0
SURE = 3.0  # log odds, about 20 to 1


def _weights(name: str) -> bytes:
    return read("text", name, "--embedder and --reranker")


class _Encoder:
    """The weights in memory, once for both seats."""

    def __init__(self, threads: int) -> None:
        from img2poem.models.builtin.text_tokens import TextTokenizer

        weights, tokens = _weights("embedder.onnx"), _weights("tokenizer.json")
        digest = hashlib.sha256(weights)
        digest.update(tokens)
        self.fingerprint = digest.hexdigest()[:16]
        self.tokenizer = TextTokenizer(tokens.decode("utf-8"))
        self._only_asked = runtime().RunOptions()
        self._only_asked.only_execute_path_to_fetches = True
        # The file's operators are already the fast ones; fusing further makes them slower.
        self.session = session(weights, threads, fuse=False)

    def read(
        self, texts: Sequence[str], limit: int, outputs: Sequence[str]
    ) -> Iterator[tuple[IntArray, list[FloatArray]]]:
        """Batches of texts of like length: their places in ``texts``, and the outputs."""
        import numpy as np

        from img2poem.models.builtin.text_tokens import END, START, pad

        rows = [[START, *ids, END] for ids in self.tokenizer.ids(texts, limit)]
        order = np.argsort([len(row) for row in rows], kind="stable")
        for start in range(0, len(rows), BATCH):
            chosen = order[start : start + BATCH]
            ids, mask = pad([rows[i] for i in chosen])
            feeds = {"ids": ids, "mask": mask}
            yield chosen, self.session.run(list(outputs), feeds, self._only_asked)


@lru_cache(maxsize=2)
def _encoder(threads: int) -> _Encoder:
    return _Encoder(threads)


class BuiltinEmbedder:
    """A bi-encoder: modern words and classical verses in one space of 384 dimensions.

    Args:
        threads: how many threads onnxruntime may use; 0 lets it choose.
    """

    name = "builtin"
    dim = 384

    def __init__(self, threads: int = 0) -> None:
        self._encoder = _encoder(threads)
        self.fingerprint = self._encoder.fingerprint

    def encode(self, texts: Sequence[str], *, kind: TextKind) -> FloatArray:
        """Encode texts as unit rows, float32 (len(texts), 384); long texts are cut at 126 tokens.

        ``kind`` makes no difference: queries, verses and translations are read alike.
        """
        import numpy as np

        out = np.empty((len(texts), self.dim), np.float32)
        for chosen, (vectors,) in self._encoder.read(texts, MAX_TEXT_TOKENS, ["vectors"]):
            out[chosen] = vectors
        return out


class _Reading(NamedTuple):
    """What the encoder makes of one text.

    Attributes:
        vector: of the text, unit (dim,).
        tokens: unit rows (tokens, token dim).
        shares: how much each token counts (tokens,), 1 in all.
    """

    vector: FloatArray
    tokens: FloatArray
    shares: FloatArray

    def agreement(self, other: _Reading) -> float:
        """Cosine, and how far the tokens of both sides find each other."""
        alike = self.tokens @ other.tokens.T
        found = alike.max(1) @ self.shares + alike.max(0) @ other.shares
        return float(self.vector @ other.vector + TOKENS_WEIGHT * found / 2)


def _tempered(logits: FloatArray) -> FloatArray:
    """Log odds that grow with their logarithm beyond 20 to 1.

    They were calibrated on a few hundred queries, which say nothing of a thousand to one;
    but of two verses that answer well the better one must still come first.
    """
    import numpy as np

    beyond = np.maximum(logits - SURE, 0.0)
    tempered: FloatArray = np.minimum(logits, SURE) + np.log1p(beyond)
    return tempered


class BuiltinReranker:
    """Compares query and verse token by token and says how well the verse answers.

    Every token of one side is held against the token of the other that is nearest to it, as
    ColBERT does, but in both directions, since a verse and its paraphrase are about as long,
    and with a share for each token. The encoder is the embedder's, so no second model is
    loaded. A verse is read as itself, as its modern rendering, and as each of its occasions,
    and what these say is added up, in odds; of the occasions the likeliest counts.

    Args:
        threads: how many threads onnxruntime may use; 0 lets it choose.
        calibration: in place of the shipped ``calibration.json``.

    Attributes:
        threshold: the score from which a verse counts as close; nineteen in twenty of the
            queries it was fitted to reach it, and nine in ten of those that poetry does not
            speak of do not (see the model card).
    """

    name = "builtin"

    def __init__(self, threads: int = 0, calibration: dict[str, Any] | None = None) -> None:
        self._encoder = _encoder(threads)
        self._calibration = calibration or json.loads(_weights("calibration.json"))
        self.threshold = float(self._calibration["threshold"])
        # Photos of a folder, and one user's questions, meet many of the same verses.
        self._known: OrderedDict[str, _Reading] = OrderedDict()

    def score(self, query: str, verses: Sequence[Verse]) -> FloatArray:
        """Score verses for a query: float32 (len(verses),), a probability-like 0 to 1."""
        import numpy as np

        if not verses:
            return np.empty(0, np.float32)
        said = {
            "verse": [(i, verse.text) for i, verse in enumerate(verses)],
            "rendering": [(i, v.translation) for i, v in enumerate(verses) if v.translation],
            "occasion": [(i, each) for i, v in enumerate(verses) for each in v.phrases],
        }
        agreed = iter(self.agreement(query, [text for each in said.values() for _, text in each]))
        logits = np.full(len(verses), -np.inf)
        for kind, texts in said.items():
            best = np.full(len(verses), -np.inf)
            for place, _ in texts:
                best[place] = max(best[place], next(agreed))
            logits = np.logaddexp(logits, self._calibrated(best, kind))
        scores: FloatArray = (1.0 / (1.0 + np.exp(-_tempered(logits)))).astype(np.float32)
        return scores

    def _calibrated(self, agreed: FloatArray, kind: str) -> FloatArray:
        """Log odds that each text, a verse or what is said of it, answers the query."""
        settings = self._calibration[kind]
        logits: FloatArray = agreed * settings["scale"] + settings["offset"]
        return logits

    def agreement(self, query: str, texts: Sequence[str]) -> FloatArray:
        """Cosine and agreement of the tokens together, float32 (len(texts),), not calibrated."""
        import numpy as np

        (asked,) = self._read([query], MAX_QUERY_TOKENS)
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._known.update(zip(new, self._read(new, MAX_VERSE_TOKENS), strict=True))
        agreed = [self._known[text].agreement(asked) for text in texts]
        for text in texts:
            self._known.move_to_end(text)
        while len(self._known) > KEPT_READINGS:
            self._known.popitem(last=False)
        return np.array(agreed, np.float32)

    def _read(self, texts: Sequence[str], limit: int) -> list[_Reading]:
        readings: dict[int, _Reading] = {}
        outputs = ("vectors", "tokens", "shares")
        for chosen, (vectors, tokens, shares) in self._encoder.read(texts, limit, outputs):
            for row, place in enumerate(chosen):
                there = shares[row] > 0
                readings[int(place)] = _Reading(
                    vectors[row].copy(), tokens[row][there], shares[row][there]
                )
        return [readings[place] for place in range(len(texts))]
