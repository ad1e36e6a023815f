"""One OpenAI-compatible endpoint: its key, its retries, its errors."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

from img2poem.errors import UserError
from img2poem.models.registry import missing_extra

T = TypeVar("T")

LIMIT = 120.0  # seconds for one answer, retries and waiting included
LIST_LIMIT = 5.0  # seconds for the list of what an endpoint has
RETRIES = 2
KEYS = ("IMG2POEM_API_KEY", "OPENAI_API_KEY")
_CONNECT = 10.0  # seconds to reach the endpoint
_PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})


class EndpointError(UserError):
    """What an endpoint answered, for the user; ``status`` is 0 if it did not answer."""

    def __init__(self, problem: str, hint: str, status: int = 0) -> None:
        super().__init__(problem, hint)
        self.status = status


class Endpoint:
    """An OpenAI-compatible endpoint.

    The key is read from the environment when the first request is made, and goes nowhere but
    into that request: not into errors, logs or files.

    Args:
        base: its address, e.g. ``http://localhost:11434/v1``; empty: OpenAI's.
        model: the model asked for.

    Raises:
        UserError: the ``openai`` package is missing, or the address is none.
    """

    def __init__(self, base: str, model: str) -> None:
        if not model:
            raise UserError("openai: needs a model's name.", "E.g. openai:qwen2.5vl:7b.")
        if base and not base.startswith(("http://", "https://")):
            raise UserError(
                f"{base!r} is no address of an endpoint.",
                "It begins with http:// or https://, e.g. http://localhost:11434/v1.",
                exit_code=2,
            )
        try:
            import openai  # noqa: F401
        except ImportError as error:
            raise missing_extra("api", error) from error
        self.base = base
        self.model = model

    @cached_property
    def _client(self) -> Any:
        import openai

        key = api_key()
        if not key and not self.base:
            raise UserError(
                "No key is set for the endpoint.",
                f"Set {KEYS[0]}, or name an endpoint of your own: --api-base.",
            )
        # Local servers want no key, but the SDK insists on one.
        return openai.OpenAI(api_key=key or "none", base_url=self.base or None, max_retries=0)

    def names(self) -> list[str]:
        """The models it offers; raises EndpointError."""
        return self.ask(lambda client: [model.id for model in client.models.list()], LIST_LIMIT)

    def ask(self, send: Callable[[Any], T], limit: float | None = None) -> T:
        """Make one request, again where that may help.

        Args:
            send: makes the request with the SDK's client it is given, and reads the answer.
            limit: seconds for it all, waiting included; ``LIMIT`` by default.

        Raises:
            EndpointError: no answer within the limit and ``RETRIES`` retries, or one
                that cannot be used; the message says which and what to do.
        """
        import openai

        limit = LIMIT if limit is None else limit
        deadline = time.monotonic() + limit
        for attempt in range(RETRIES + 1):
            wait = 0.5 * 2**attempt
            try:
                return self._once(send, deadline)
            except (openai.APITimeoutError, TimeoutError):
                raise self._silent(limit) from None
            except openai.APIConnectionError:
                failure = self._unreachable()
            except openai.APIStatusError as error:
                failure = self._refused(error.status_code, _said(error))
                if error.status_code not in _PASSING:
                    raise failure from None
                wait = _retry_after(error.response.headers.get("retry-after"), wait)
            except UserError:
                raise
            except (openai.OpenAIError, ValueError, TypeError, LookupError, AttributeError):
                raise self._garbled() from None
            if attempt == RETRIES or time.monotonic() + wait > deadline:
                break
            time.sleep(wait)
        raise failure from None

    def _once(self, send: Callable[[Any], T], deadline: float) -> T:
        """One request, given up at the deadline even if bytes keep trickling in.

        The SDK's own timeout begins anew with each byte, hence the thread; as a daemon it
        keeps no program from ending.
        """
        import openai

        left = max(0.1, deadline - time.monotonic())
        timeout = openai.Timeout(left, connect=min(left, _CONNECT))
        client = self._client.with_options(timeout=timeout)
        outcome: list[tuple[T | None, BaseException | None]] = []

        def run() -> None:
            try:
                outcome.append((send(client), None))
            except BaseException as error:
                outcome.append((None, error))

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(left + 0.5)
        if not outcome:
            raise TimeoutError
        answer, error = outcome[0]
        if error is not None:
            raise error
        return answer  # type: ignore[return-value]

    @property
    def address(self) -> str:
        """Where requests go, without a password that may be part of it."""
        return re.sub(r"//[^/@]*@", "//", str(self._client.base_url)).rstrip("/")

    def _silent(self, limit: float) -> EndpointError:
        return EndpointError(
            f"The endpoint {self.address} gave no answer within {limit:.0f} seconds.",
            "Is it overloaded, or the model too large for its machine?",
        )

    def _unreachable(self) -> EndpointError:
        return EndpointError(
            f"The endpoint {self.address} cannot be reached.",
            "Is it running, and is --api-base its address (most end in /v1)?",
        )

    def _garbled(self) -> EndpointError:
        return EndpointError(
            f"The endpoint {self.address} answered with something that is not what "
            f"{self.model} was asked for.",
            "Does it speak the OpenAI protocol, and can this model do this?",
        )

    def _refused(self, status: int, said: str) -> EndpointError:
        quoted = f": {said}" if said else ""
        problem = f"The endpoint {self.address} answered {status}{quoted}."
        return EndpointError(problem, _ADVICE.get(status, _advice(status)), status)


_ADVICE = {
    401: f"Set {KEYS[0]} (or {KEYS[1]}) to a key that is valid there.",
    402: "Its account has no credit left.",
    403: "The key may not use this model.",
    404: "Check the model's name and --api-base (most end in /v1).",
    429: "Too many requests, or no quota left: wait, or use another endpoint.",
}


def _advice(status: int) -> str:
    if status >= 500:
        return "The fault is on its side: try again later."
    return "Check that this model can do what it is asked: see photos, embed or rerank."


def api_key() -> str:
    """The key in the environment; empty if there is none. Raises UserError if it cannot be one."""
    key = next((os.environ[name] for name in KEYS if os.environ.get(name)), "").strip()
    if not (key.isascii() and key.isprintable()):
        raise UserError(
            f"The key in {' or '.join(KEYS)} has characters no key has.", "Set it anew."
        )
    return key


def _said(error: Any) -> str:
    """What the endpoint said, as one short line that does not repeat the key."""
    body = error.body
    if isinstance(body, dict):
        body = body.get("message") or body.get("detail") or body.get("error") or ""
    text = "".join(c for c in " ".join(str(body or "").split()) if c.isprintable())
    key = api_key()
    if key:
        text = text.replace(key, "***")
    return (text if len(text) <= 200 else text[:197] + "...").rstrip(".")


def _retry_after(value: str | None, otherwise: float) -> float:
    """Seconds a Retry-After header asks for; it may also be a date."""
    if not value:
        return otherwise
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError):
        return otherwise
