"""``openai:`` models: any OpenAI-compatible endpoint in any seat."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

from img2poem.corpus.verse import Verse
from img2poem.models.base import Captioner, Description, Embedder, Generator, Photo, Reranker
from img2poem.models.endpoint import Endpoint, EndpointError
from img2poem.models.prompts import CAPTION, VERSE, described, passage, tidy
from img2poem.models.vectors import unit_rows

if TYPE_CHECKING:
    from PIL.Image import Image

    from img2poem.models.base import FloatArray, TextKind
    from img2poem.models.registry import ModelOptions

_SIDE = 1024  # the longer side of a photo that is sent, in pixels
_QUALITY = 85  # of its JPEG
_TEXTS = 64  # texts in one embeddings request


def captioner(rest: str, options: ModelOptions) -> Captioner:
    """Factory of ``openai:`` captioners."""
    return ApiCaptioner(f"openai:{rest}", Endpoint(options.api_base, rest))


def embedder(rest: str, options: ModelOptions) -> Embedder:
    """Factory of ``openai:`` embedders."""
    return ApiEmbedder(f"openai:{rest}", Endpoint(options.api_base, rest))


def reranker(rest: str, options: ModelOptions) -> Reranker:
    """Factory of ``openai:`` rerankers."""
    return ApiReranker(f"openai:{rest}", Endpoint(options.api_base, rest))


def generator(rest: str, options: ModelOptions) -> Generator:
    """Factory of ``openai:`` generators."""
    return ApiGenerator(f"openai:{rest}", Endpoint(options.api_base, rest))


class ApiCaptioner:
    """A vision model behind an endpoint, asked in Chinese."""

    photo_side = _SIDE

    def __init__(self, name: str, endpoint: Endpoint) -> None:
        self.name = name
        self._endpoint = endpoint

    def describe(self, photos: Sequence[Photo]) -> list[Description]:
        """Describe each photo, one request each."""
        return [
            described(_chat(self._endpoint, CAPTION, photo.image), self.name) for photo in photos
        ]


class ApiGenerator:
    """A chat model behind an endpoint; shown the photo unless it turns photos down."""

    def __init__(self, name: str, endpoint: Endpoint) -> None:
        self.name = name
        self._endpoint = endpoint
        self._sees = True

    def write(self, description: str, photo: Photo | None = None) -> str:
        """Write one line of verse; its form is the caller's to check."""
        prompt = VERSE.format(description=description)
        if photo is not None and self._sees:
            try:
                return tidy(_chat(self._endpoint, prompt, photo.image))
            except EndpointError as error:
                if error.status not in {400, 415, 422}:
                    raise
                self._sees = False  # a text model: it is not asked to look again
        return tidy(_chat(self._endpoint, prompt))


class ApiEmbedder:
    """An embeddings endpoint.

    Weights cannot be hashed from afar: ``fingerprint`` is of the address, the model's name
    and the vectors' length, so an index survives a model that is exchanged under one name.
    """

    def __init__(self, name: str, endpoint: Endpoint) -> None:
        self.name = name
        self._endpoint = endpoint
        self.dim = len(self._request(["诗"])[0])
        identity = f"{endpoint.address}|{endpoint.model}|{self.dim}"
        self.fingerprint = hashlib.sha256(identity.encode()).hexdigest()

    def encode(self, texts: Sequence[str], *, kind: TextKind) -> FloatArray:
        """Encode texts as float32 rows of length 1, shape (len(texts), dim)."""
        rows: list[Sequence[float]] = []
        for start in range(0, len(texts), _TEXTS):
            rows += self._request(texts[start : start + _TEXTS])
        if any(len(row) != self.dim for row in rows):
            raise EndpointError(
                f"The endpoint {self._endpoint.address} gave vectors of different lengths.",
                "Another model may have taken its place; build the index again.",
            )
        return unit_rows(rows, self.dim)

    def _request(self, texts: Sequence[str]) -> list[Sequence[float]]:
        def send(client: Any) -> list[Sequence[float]]:
            answer = client.embeddings.create(
                model=self._endpoint.model,
                input=list(texts),
                encoding_format="float",  # the SDK's default, base64, is not known everywhere
            )
            rows = {item.index: item.embedding for item in answer.data}
            return [rows[place] for place in range(len(texts))]

        return self._endpoint.ask(send)


class ApiReranker:
    """A rerank endpoint as Jina, Cohere and vLLM have it: ``POST {base}/rerank``."""

    threshold = 0.5

    def __init__(self, name: str, endpoint: Endpoint) -> None:
        self.name = name
        self._endpoint = endpoint
        self._gives_logits = False

    def score(self, query: str, verses: Sequence[Verse]) -> FloatArray:
        """Score verses for a query: float32 (len(verses),), 0 to 1."""
        import numpy as np

        body = {
            "model": self._endpoint.model,
            "query": query,
            "documents": [passage(verse) for verse in verses],
            "top_n": len(verses),
        }

        def send(client: Any) -> list[float]:
            answer = client.post("/rerank", body=body, cast_to=object)
            given = {item["index"]: float(item["relevance_score"]) for item in answer["results"]}
            return [given[place] for place in range(len(verses))]

        scores = np.asarray(self._endpoint.ask(send) if verses else [], dtype=np.float32)
        # Most servers give 0 to 1, some the model's logits, which no single score betrays.
        self._gives_logits |= bool(((scores < 0) | (scores > 1)).any())
        if self._gives_logits:
            scores = (1 / (1 + np.exp(-scores))).astype(np.float32)
        return scores


def _chat(endpoint: Endpoint, prompt: str, image: Image | None = None) -> str:
    """One question, one answer."""
    content: list[dict[str, Any]] = [{"type": "text", "text": prompt}]
    if image is not None:
        content.append({"type": "image_url", "image_url": {"url": data_url(image)}})

    def send(client: Any) -> str:
        # No temperature and no token limit: some models turn down requests that name them.
        answer = client.chat.completions.create(
            model=endpoint.model,
            messages=[{"role": "user", "content": content if image is not None else prompt}],
        )
        text = answer.choices[0].message.content
        if not isinstance(text, str) or not text.strip():
            raise ValueError("no text")
        return text

    return endpoint.ask(send)


def data_url(image: Image) -> str:
    """A photo as a data URL: JPEG, the longer side at most 1024 pixels."""
    from PIL.Image import Resampling

    small = image.copy()
    small.thumbnail((_SIDE, _SIDE), Resampling.BICUBIC)
    file = BytesIO()
    small.save(file, "JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
