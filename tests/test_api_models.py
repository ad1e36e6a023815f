"""Endpoints, met on a real HTTP server on loopback that behaves and misbehaves."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from loopback import KEY, Answer, Server, failed, good, said
from PIL import Image

from img2poem.corpus.verse import Verse
from img2poem.errors import UserError
from img2poem.models import endpoint, registry
from img2poem.models.base import Captioner, Embedder, Generator, Photo, Reranker
from img2poem.models.registry import ModelOptions

pytest.importorskip("openai")

PHOTO = Photo(Image.new("RGB", (3000, 2000), "navy"))
VERSES = [Verse("床前明月光，疑是地上霜。", "月光"), Verse("独钓寒江雪。", "雪")]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("IMG2POEM_API_KEY", KEY)
    running = Server()
    yield running
    running.close()


def load(seat: Any, server: Server, model: str = "small") -> Any:
    return registry.load(seat, f"openai:{model}", ModelOptions(api_base=server.base))


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


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (401, "IMG2POEM_API_KEY"),
        (403, "may not use this model"),
        (404, "model's name"),
        (400, "see photos"),
    ],
)
def test_a_refusal_is_told_at_once_with_advice(server: Server, status: int, advice: str) -> None:
    server.answers = [failed(status, f"you sent {KEY}, no")]
    with pytest.raises(UserError) as caught:
        load("captioner", server).describe([PHOTO])
    assert len(server.asked) == 1
    assert str(status) in caught.value.problem
    assert advice in caught.value.hint
    assert KEY not in str(caught.value)


def test_the_wait_an_endpoint_asks_for_is_kept(server: Server) -> None:
    server.answers = [failed(429, **{"retry-after": "1.2"}), said("月。")]
    began = time.monotonic()
    assert load("captioner", server).describe([PHOTO])[0].text == "月。"
    assert 1.2 <= time.monotonic() - began < 5
    assert len(server.asked) == 2


def test_too_long_a_wait_is_not_waited_for(server: Server) -> None:
    server.answers = [failed(429, "slow down", **{"retry-after": "3600"})]
    began = time.monotonic()
    with pytest.raises(UserError, match="429: slow down"):
        load("captioner", server).describe([PHOTO])
    assert time.monotonic() - began < 5
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_retries_are_bounded(server: Server, status: int) -> None:
    server.answers = [failed(status, **{"retry-after": "0"})]
    with pytest.raises(UserError) as caught:
        load("captioner", server).describe([PHOTO])
    assert len(server.asked) == 1 + endpoint.RETRIES
    assert str(status) in caught.value.problem
    assert caught.value.hint


@pytest.mark.parametrize(
    "answer",
    [
        (200, {}, b'{"choices": [{"mess'),
        (200, {}, b"<html>welcome</html>"),
        (200, {}, b"[]"),
        (200, {}, b"{}"),
        (200, {}, b'{"choices": []}'),
        said(None),
        said("  "),
    ],
)
def test_an_answer_that_is_none_is_an_error(server: Server, answer: Answer) -> None:
    server.answers = [answer]
    with pytest.raises(UserError, match="not what small was asked for"):
        load("captioner", server).describe([PHOTO])


@pytest.mark.parametrize(
    "document",
    [{}, {"results": []}, {"results": [{"index": 0}]}, {"results": "x"}],
)
def test_scores_that_are_missing_are_an_error(server: Server, document: Any) -> None:
    server.answers = [good(document)]
    with pytest.raises(UserError, match="not what small was asked for"):
        load("reranker", server).score("雪", VERSES)


def silent(handler: Any) -> None:
    time.sleep(8)


def trickling(handler: Any) -> None:
    """A byte now and then, for ever: each one would reset a plain timeout."""
    handler.send_response(200)
    handler.send_header("content-type", "application/json")
    handler.send_header("content-length", "1000")
    handler.end_headers()
    for _ in range(40):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.2)


@pytest.mark.parametrize("answer", [silent, trickling])
def test_silence_ends_when_the_time_is_up(
    server: Server, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    monkeypatch.setattr(endpoint, "LIMIT", 1.0)
    server.answers = [answer]
    began = time.monotonic()
    with pytest.raises(UserError, match="no answer within 1 seconds"):
        load("captioner", server).describe([PHOTO])
    assert time.monotonic() - began < 4


def test_a_slow_answer_is_an_answer(server: Server) -> None:
    def slow(handler: Any) -> Answer:
        time.sleep(1.5)
        return said("月。")

    server.answers = [slow]
    assert load("captioner", server).describe([PHOTO])[0].text == "月。"


def test_a_connection_that_is_dropped_is_tried_again(server: Server) -> None:
    def drop(handler: Any) -> None:
        handler.connection.close()

    server.answers = [drop, said("月。")]
    assert load("captioner", server).describe([PHOTO])[0].text == "月。"
    assert len(server.asked) == 2


def test_an_endpoint_that_is_not_there_is_named(server: Server) -> None:
    server.close()
    with pytest.raises(UserError, match=f"{server.base} cannot be reached"):
        load("captioner", server).describe([PHOTO])


def test_without_a_key_a_local_endpoint_works_and_openai_is_not_asked(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IMG2POEM_API_KEY")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    server.answers = [said("月。")]
    assert load("captioner", server).describe([PHOTO])[0].text == "月。"
    with pytest.raises(UserError, match="No key is set"):
        registry.load("captioner", "openai:gpt", ModelOptions()).describe([PHOTO])


def test_a_password_in_an_address_is_not_shown(server: Server) -> None:
    server.answers = [failed(500, **{"retry-after": "0"})]
    address = server.base.replace("//", "//me:hunter2@")
    with pytest.raises(UserError) as caught:
        registry.load("captioner", "openai:m", ModelOptions(api_base=address)).describe([PHOTO])
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("key", ["钥匙", "sk-1\n2"])
def test_a_key_that_cannot_be_one_is_told_without_showing_it(
    server: Server, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("IMG2POEM_API_KEY", key)
    with pytest.raises(UserError, match="characters no key has") as caught:
        load("captioner", server).describe([PHOTO])
    assert key not in str(caught.value)
    assert not server.asked


def test_an_address_that_is_none_is_turned_away() -> None:
    with pytest.raises(UserError, match="no address"):
        registry.load("captioner", "openai:m", ModelOptions(api_base="localhost:11434"))
    with pytest.raises(UserError, match="needs a model's name"):
        registry.load("captioner", "openai:", ModelOptions())


def test_the_key_is_in_no_traceback(server: Server) -> None:
    import traceback

    server.answers = [failed(401, f"Incorrect API key provided: {KEY}")]
    try:
        load("captioner", server).describe([PHOTO])
    except UserError as error:
        assert KEY not in "".join(traceback.format_exception(error))


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
