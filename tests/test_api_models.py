"""What each seat asks of an endpoint, met on a real HTTP server on loopback."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from loopback import KEY, Answer, Server, failed, good, load, said, serving
from PIL import Image

from img2poem.corpus.verse import Verse
from img2poem.models.base import Captioner, Embedder, Generator, Photo, Reranker

pytest.importorskip("openai")

PHOTO = Photo(Image.new("RGB", (3000, 2000), "navy"))
VERSES = [Verse("床前明月光，疑是地上霜。", "月光"), Verse("独钓寒江雪。", "雪")]
server = pytest.fixture(serving)


def test_a_captioner_sends_the_photo_small_and_asks_in_chinese(server: Server) -> None:
    server.answers = [said("<think>hm</think>\n“夜裡，月亮照亮雪山。”")]
    model = load("captioner", server)
    assert isinstance(model, Captioner)
    description = model.describe([PHOTO])[0]
    assert description.text == "夜里，月亮照亮雪山。"
    assert {"月", "雪", "山"} <= {imagery.tag for imagery in description.imagery}
    assert description.model == "openai:small"
    path, headers, body = server.asked[0]
    assert path == "/v1/chat/completions"
    assert headers["authorization"] == f"Bearer {KEY}"
    assert set(body) == {"model", "messages"}
    assert body["model"] == "small"
    prompt, picture = body["messages"][0]["content"]
    assert all(word in prompt["text"] for word in ("场景", "季节", "天气", "时间", "事物", "情绪"))
    kind, _, data = picture["image_url"]["url"].partition(",")
    assert kind == "data:image/jpeg;base64"
    assert Image.open(BytesIO(base64.b64decode(data))).size == (1024, 683)


def test_an_embedder_asks_for_plain_numbers_and_keeps_their_order(server: Server) -> None:
    def answer(handler: Any) -> Answer:
        texts = server.asked[-1][2]["input"]
        data = [
            {"object": "embedding", "index": n, "embedding": [len(text), 1.0, 0.0]}
            for n, text in enumerate(texts)
        ]
        return good({"object": "list", "data": data[::-1], "model": "small"})

    server.answers = [answer]
    model = load("embedder", server)
    assert isinstance(model, Embedder)
    texts = ["月" * (n % 9 + 1) for n in range(150)]
    rows = model.encode(texts, kind="passage")
    assert rows.shape == (150, 3)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(rows[:, 0] / rows[:, 1], [len(t) for t in texts], rtol=1e-5)
    assert model.encode([], kind="query").shape == (0, 3)
    path, _, body = server.asked[1]
    assert path == "/v1/embeddings"
    assert body["encoding_format"] == "float"
    assert load("embedder", server).fingerprint == model.fingerprint
    assert load("embedder", server, "other").fingerprint != model.fingerprint


def test_a_reranker_speaks_as_jina_and_cohere_do(server: Server) -> None:
    results = [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.2}]
    server.answers = [good({"results": results})]
    model = load("reranker", server)
    assert isinstance(model, Reranker)
    np.testing.assert_allclose(model.score("雪", VERSES), [0.2, 0.9], rtol=1e-6)
    path, _, body = server.asked[0]
    assert path == "/v1/rerank"
    assert body["query"] == "雪"
    assert body["documents"][1] == "独钓寒江雪。雪"
    assert body["top_n"] == 2


def test_a_rerankers_logits_are_brought_between_0_and_1(server: Server) -> None:
    results = [{"index": 0, "relevance_score": -3.0}, {"index": 1, "relevance_score": 5.0}]
    server.answers = [good({"results": results})]
    scores = load("reranker", server).score("雪", VERSES)
    np.testing.assert_allclose(scores, 1 / (1 + np.exp([3.0, -5.0])), rtol=1e-5)


def test_a_generator_is_shown_the_photo(server: Server) -> None:
    server.answers = [said("孤月照寒江。")]
    model = load("generator", server)
    assert isinstance(model, Generator)
    assert model.write("江上的月亮", PHOTO) == "孤月照寒江。"
    prompt, picture = server.asked[0][2]["messages"][0]["content"]
    assert "江上的月亮" in prompt["text"]
    assert picture["type"] == "image_url"


def test_a_generator_that_cannot_see_is_asked_in_words_from_then_on(server: Server) -> None:
    server.answers = [failed(400, "image input is not supported"), said("孤月照寒江。")]
    model = load("generator", server)
    assert model.write("月", PHOTO) == "孤月照寒江。"
    assert model.write("月", PHOTO) == "孤月照寒江。"
    contents = [body["messages"][0]["content"] for _, _, body in server.asked]
    assert [isinstance(content, str) for content in contents] == [False, True, True]


def test_an_endpoints_models_are_listed(server: Server) -> None:
    models = [{"id": name, "object": "model", "created": 1, "owned_by": "me"} for name in "ab"]
    server.answers = [good({"object": "list", "data": models})]
    from img2poem.models.catalog import rows
    from img2poem.settings import Settings

    listed = [(r.name, r.state) for r in rows(Settings(api_base=server.base))][-2:]
    assert listed == [
        ("openai:a", f"reachable at {server.base}"),
        ("openai:b", f"reachable at {server.base}"),
    ]
