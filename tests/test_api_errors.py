"""Endpoints that refuse, fail, drop or keep silent, and keys that stay secret."""

from __future__ import annotations

import time
from typing import Any

import pytest
from loopback import KEY, Answer, Server, failed, good, load, said, serving
from PIL import Image

from img2poem.corpus.verse import Verse
from img2poem.errors import UserError
from img2poem.models import endpoint, registry
from img2poem.models.base import Photo
from img2poem.models.registry import ModelOptions

pytest.importorskip("openai")

PHOTO = Photo(Image.new("RGB", (3000, 2000), "navy"))
VERSES = [Verse("床前明月光，疑是地上霜。", "月光"), Verse("独钓寒江雪。", "雪")]
server = pytest.fixture(serving)


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
