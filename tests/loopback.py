"""A real HTTP server on loopback in place of an OpenAI-compatible endpoint."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from img2poem.models import registry
from img2poem.models.registry import ModelOptions

KEY = "sk-secret-0123456789"
Answer = tuple[int, dict[str, str], bytes]


class Server:
    """Answers requests from a queue, the last answer again and again; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        self.answers: list[Answer | Callable[[Any], Any]] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers.get("content-length", 0))
                body = json.loads(self.rfile.read(size)) if size else None
                headers = {name.lower(): value for name, value in self.headers.items()}
                owner.asked.append((self.path, headers, body))
                place = min(len(owner.asked), len(owner.answers)) - 1
                answer = owner.answers[place]
                if callable(answer):
                    answer = answer(self)
                if answer is None:
                    return
                status, extra, content = answer
                self.send_response(status)
                for name, value in extra.items():
                    self.send_header(name, value)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.base = f"http://127.0.0.1:{self._server.server_port}/v1"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A fixture: a server that runs as long as the test, and the key to it."""
    monkeypatch.setenv("IMG2POEM_API_KEY", KEY)
    server = Server()
    yield server
    server.close()


def load(seat: Any, server: Server, model: str = "small") -> Any:
    return registry.load(seat, f"openai:{model}", ModelOptions(api_base=server.base))


def good(document: Any) -> Answer:
    return 200, {}, json.dumps(document).encode()


def said(text: str | None) -> Answer:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return good({"id": "1", "object": "chat.completion", "created": 1, "choices": [choice]})


def failed(status: int, message: str = "no", **headers: str) -> Answer:
    return status, headers, json.dumps({"error": {"message": message}}).encode()
