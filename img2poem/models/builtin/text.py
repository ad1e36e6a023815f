"""The built-in text models: a bi-encoder for search and a reranker, run by onnxruntime."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from img2poem.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from img2poem.corpus.verse import Verse
    from img2poem.models.base import TextKind
    from img2poem.models.builtin.text_tokens import TextTokenizer

    FloatArray = npt.NDArray[np.float32]

MAX_TOKENS = 128
MAX_QUERY_TOKENS = 96
MAX_VERSE_TOKENS = 64
ENCODE_BATCH = 64
RERANK_BATCH = 25


def _weights(name: str) -> bytes:
    path = files("img2poem") / "weights" / "text" / name
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(
            f"The built-in text model is incomplete: {name} is missing.",
            hint="Reinstall img2poem, or choose another model with --embedder and --reranker.",
        ) from None


@lru_cache(maxsize=1)
def _tokenizer() -> TextTokenizer:
    from img2poem.models.builtin.text_tokens import TextTokenizer

    return TextTokenizer(_weights("tokenizer.json").decode("utf-8"))


def _session(weights: bytes, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])


class BuiltinEmbedder:
    """A bi-encoder: modern words and classical verses in one space of 384 dimensions.

    Args:
        threads: how many threads onnxruntime may use; 0 lets it choose.
    """

    name = "builtin"
    dim = 384

    def __init__(self, threads: int = 0) -> None:
        weights = _weights("embedder.onnx")
        tokens = _weights("tokenizer.json")
        self.fingerprint = hashlib.sha256(weights + tokens).hexdigest()[:16]
        self._session = _session(weights, threads)
        self._tokenizer = _tokenizer()

    def encode(self, texts: Sequence[str], *, kind: TextKind) -> FloatArray:
        """Encode texts as unit rows, float32 (len(texts), 384); long texts are cut at 126 tokens.

        ``kind`` makes no difference: queries, verses and translations are read alike.
        """
        import numpy as np

        from img2poem.models.builtin.text_tokens import END, START, pad

        rows = [[START, *ids, END] for ids in self._tokenizer.ids(texts, MAX_TOKENS - 2)]
        out = np.empty((len(rows), self.dim), np.float32)
        order = np.argsort([len(row) for row in rows], kind="stable")
        for start in range(0, len(rows), ENCODE_BATCH):
            chosen = order[start : start + ENCODE_BATCH]
            ids, mask = pad([rows[i] for i in chosen])
            out[chosen] = self._session.run(None, {"ids": ids, "mask": mask})[0]
        return out


class BuiltinReranker:
    """Reads query and verse together and says how well the verse answers.

    Args:
        threads: how many threads onnxruntime may use; 0 lets it choose.
    """

    name = "builtin"

    def __init__(self, threads: int = 0) -> None:
        self._session = _session(_weights("reranker.onnx"), threads)
        self._calibration = json.loads(_weights("calibration.json"))
        self._tokenizer = _tokenizer()

    def score(self, query: str, verses: Sequence[Verse]) -> FloatArray:
        """Score verses for a query: float32 (len(verses),), a probability-like 0 to 1."""
        import numpy as np

        from img2poem.models.builtin.text_tokens import END, START, pad

        if not verses:
            return np.empty(0, np.float32)
        asked = self._tokenizer.ids([query], MAX_QUERY_TOKENS)[0]
        question = np.array([[START, *asked, END]], np.int64)
        texts = [verse.text for verse in verses]
        rows = [[*ids, END] for ids in self._tokenizer.ids(texts, MAX_VERSE_TOKENS)]
        logits = np.empty(len(rows), np.float32)
        order = np.argsort([len(row) for row in rows], kind="stable")
        for start in range(0, len(rows), RERANK_BATCH):
            chosen = order[start : start + RERANK_BATCH]
            ids, mask = pad([rows[i] for i in chosen])
            inputs = {"query": question, "ids": ids, "mask": mask}
            logits[chosen] = self._session.run(None, inputs)[0]
        scaled = logits * self._calibration["scale"] + self._calibration["offset"]
        scores: FloatArray = (1.0 / (1.0 + np.exp(-scaled))).astype(np.float32)
        return scores
