"""What the tests of the hub's models share: loading on the CPU, no network, few words."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tiny_models
from PIL import Image

from img2poem.models import registry
from img2poem.models.base import Photo
from img2poem.models.registry import ModelOptions

PHOTOS = [Photo(Image.new("RGB", (120, 80), "navy")), Photo(Image.new("RGB", (64, 200), "orange"))]

Tiny = Callable[[str], Path]


def load(seat: Any, name: str, **options: Any) -> Any:
    return registry.load(seat, name, ModelOptions(device="cpu", **options))


def few_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fixture: random models, which never stop by themselves, are stopped."""
    for place, tokens in tiny_models.FEW_TOKENS.items():
        monkeypatch.setattr(f"img2poem.models.{place}", tokens)


def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A fixture: any attempt to reach a host fails the test, even one a library would swallow."""
    tried: list[Any] = []

    def refuse(_: socket.socket, address: Any, *rest: Any) -> None:
        tried.append(address)
        raise OSError("no network in tests")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    yield
    assert not tried, f"tried to reach {tried}"
