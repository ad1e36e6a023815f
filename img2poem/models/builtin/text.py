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
RERANK_BATCH = 16
# How much the embedder's cosine says beside the joint reading, chosen on development rows:
# each is wrong where the other is not.
COSINE_WEIGHT = 15.0


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


@lru_cache(maxsize=4)
def _session(name: str, threads: int) -> Any:
    """The session of a weights file; the reranker shares the embedder's."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # The files' operators are already the fast ones; fusing further makes them slower.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    return onnxruntime.InferenceSession(_weights(name), options, providers=["CPUExecutionProvider"])


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
        self._session = _session("embedder.onnx", threads)
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

    A verse with a modern rendering is read twice, as itself and as its rendering.

    Args:
        threads: how many threads onnxruntime may use; 0 lets it choose.

    Attributes:
        threshold: the score from which a verse counts as close, fitted so that nine in ten
            queries that poetry does not speak of find nothing that reaches it.
    """

    name = "builtin"

    def __init__(self, threads: int = 0) -> None:
        self._session = _session("reranker.onnx", threads)
        self._embedder = BuiltinEmbedder(threads)
        self._calibration = json.loads(_weights("calibration.json"))
        self.threshold = float(self._calibration["threshold"])
        self._tokenizer = _tokenizer()

    def score(self, query: str, verses: Sequence[Verse]) -> FloatArray:
        """Score verses for a query: float32 (len(verses),), a probability-like 0 to 1."""
        import numpy as np

        if not verses:
            return np.empty(0, np.float32)
        logits = self._calibrated(query, [verse.text for verse in verses], "verse")
        rendered = [i for i, verse in enumerate(verses) if verse.translation]
        if rendered:
            renderings = [verses[i].translation for i in rendered]
            second = self._calibrated(query, renderings, "rendering")
            logits[rendered] = np.maximum(logits[rendered], second)
        scores: FloatArray = (1.0 / (1.0 + np.exp(-logits))).astype(np.float32)
        return scores

    def _calibrated(self, query: str, texts: Sequence[str], kind: str) -> FloatArray:
        """Log odds that each text, a verse or a rendering, answers the query."""
        settings = self._calibration[kind]
        logits: FloatArray = self.logits(query, texts)
        logits *= settings["scale"]
        logits += settings["offset"]
        return logits

    def logits(self, query: str, texts: Sequence[str]) -> FloatArray:
        """Joint reading and cosine together, float32 (len(texts),), not calibrated."""
        import numpy as np

        from img2poem.models.builtin.text_tokens import END, START, pad

        asked = self._tokenizer.ids([query], MAX_QUERY_TOKENS)[0]
        question = np.array([[START, *asked, END]], np.int64)
        rows = [[START, *ids, END] for ids in self._tokenizer.ids(texts, MAX_VERSE_TOKENS)]
        logits = np.empty(len(rows), np.float32)
        order = np.argsort([len(row) for row in rows], kind="stable")
        for start in range(0, len(rows), RERANK_BATCH):
            chosen = order[start : start + RERANK_BATCH]
            ids, mask = pad([rows[i] for i in chosen])
            inputs = {"query": question, "ids": ids, "mask": mask}
            logits[chosen] = self._session.run(None, inputs)[0]
        vectors = self._embedder.encode([query, *texts], kind="passage")
        logits += COSINE_WEIGHT * (vectors[1:] @ vectors[0])
        return logits
