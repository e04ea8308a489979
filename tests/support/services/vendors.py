# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Stand-ins for the vendors behind a gateway, which a test cannot reach.

Each answers in its vendor's wire format, refuses calls without the vendor's key, and records the calls.
They share one HTTP server. The first part of the path names the vendor, except for Vertex AI, whose path LiteLLM sets itself.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

ANSWER = ("Salut", " from ", "{vendor}")
"""The answer of every vendor, in the pieces in which it is streamed."""
LOGIN_PATH = "/vertex/token"
"""Where a service account of Vertex AI gets its token, which serves as the key."""


@dataclass(frozen=True)
class Call:
    """A call that a vendor received."""

    vendor: str
    path: str
    headers: Mapping[str, str]
    body: Any
    raw: str
    """The whole call as text, to search for keys."""


@dataclass(frozen=True)
class Reply:
    """A JSON document, or the events of a stream as name and data. An event without a name has no `event` line."""

    document: Any = None
    events: tuple[tuple[str, Any], ...] = ()


# ------------------------------------------------------------------------------------------------------ wire formats
def openai(call: Call, words: tuple[str, ...]) -> Reply:
    if call.path.endswith("/embeddings"):
        return Reply(
            {
                "object": "list",
                "model": call.body["model"],
                "data": [{"object": "embedding", "index": 0, "embedding": [0.25, 0.5]}],
                "usage": {"prompt_tokens": 3, "total_tokens": 3},
            }
        )
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    common = {"id": "chatcmpl-1", "created": 1764000000, "model": call.body["model"]}
    if not call.body.get("stream"):
        message = {"role": "assistant", "content": "".join(words)}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        return Reply({**common, "object": "chat.completion", "choices": choices, "usage": usage})
    deltas: list[tuple[dict[str, Any], str | None]] = [({"role": "assistant", "content": word}, None) for word in words]
    chunks = [
        {**common, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
        for delta, reason in (*deltas, ({}, "stop"))
    ]
    return Reply(events=(*(("", chunk) for chunk in chunks), ("", "[DONE]")))


def anthropic(call: Call, words: tuple[str, ...]) -> Reply:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": call.body["model"], "stop_sequence": None}
    usage = {"input_tokens": 3, "output_tokens": 4}
    if not call.body.get("stream"):
        content = [{"type": "text", "text": "".join(words)}]
        return Reply({**message, "content": content, "stop_reason": "end_turn", "usage": usage})
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**message, "content": [], "stop_reason": None, "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}} for word in words),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    ]
    return Reply(events=tuple((event["type"], event) for event in events))


def cohere(call: Call, words: tuple[str, ...]) -> Reply:
    usage = {"billed_units": {"input_tokens": 3, "output_tokens": 4}, "tokens": {"input_tokens": 3, "output_tokens": 4}}
    if not call.body.get("stream"):
        message = {"role": "assistant", "content": [{"type": "text", "text": "".join(words)}]}
        return Reply({"id": "1", "finish_reason": "COMPLETE", "message": message, "usage": usage})
    events: list[dict[str, Any]] = [
        {"type": "message-start", "id": "1", "delta": {"message": {"role": "assistant"}}},
        *({"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": word}}}} for word in words),
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": usage}},
    ]
    return Reply(events=tuple((event["type"], event) for event in events))


def google(call: Call, words: tuple[str, ...]) -> Reply:
    def piece(text: str) -> dict[str, Any]:
        return {
            "candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP", "index": 0}],
            "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 4, "totalTokenCount": 7},
        }

    if ":streamGenerateContent" in call.path:
        return Reply(events=tuple(("", piece(word)) for word in words))
    return Reply(piece("".join(words)))


def vectara(call: Call, words: tuple[str, ...]) -> Reply:
    if call.body.get("stream_response"):
        chunks: list[dict[str, Any]] = [{"type": "generation_chunk", "generation_chunk": word} for word in words]
        return Reply(events=tuple((chunk["type"], chunk) for chunk in (*chunks, {"type": "end"})))
    return Reply({"summary": "".join(words), "response_language": "eng", "search_results": [{"text": "".join(words), "score": 1.0}]})


@dataclass(frozen=True)
class Vendor:
    """A vendor: the key of the gateway's owner, the header that carries it, and the function that answers."""

    key: str
    header: str
    answer: Callable[[Call, tuple[str, ...]], Reply]

    @classmethod
    def new(cls, header: str, answer: Callable[[Call, tuple[str, ...]], Reply]) -> Vendor:
        return cls(f"vendor-key-{uuid.uuid4().hex}", header, answer)

    def knows(self, headers: Mapping[str, str]) -> bool:
        return headers.get(self.header, "").removeprefix("Bearer ") == self.key


# ------------------------------------------------------------------------------------------------------------ server
class Vendors:
    """The running stand-ins. `url(vendor)` replaces the vendor's own address."""

    def __init__(self) -> None:
        self.all = {
            "openai": Vendor.new("authorization", openai),
            "anthropic": Vendor.new("x-api-key", anthropic),
            "cohere": Vendor.new("authorization", cohere),
            "huggingface": Vendor.new("authorization", openai),
            "anyscale": Vendor.new("authorization", openai),
            "google": Vendor.new("x-goog-api-key", google),
            "vertex": Vendor.new("authorization", google),
            "vectara": Vendor.new("x-api-key", vectara),
        }
        self.calls: list[Call] = []
        self.angry: set[str] = set()
        """Vendors that refuse every key, as after an unpaid bill."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def url(self, vendor: str) -> str:
        return self.root if vendor == "vertex" else f"{self.root}/{vendor}"

    def service_account(self) -> str:
        """Return the file of a service account that may call Vertex AI, with a new private key."""
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        plain = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        account = {"type": "service_account", "project_id": "my-project", "private_key_id": "1", "private_key": plain.decode()}
        address = {"client_email": "gateway@my-project.iam.gserviceaccount.com", "token_uri": self.root + LOGIN_PATH}
        return json.dumps({**account, **address})

    def says(self, vendor: str) -> str:
        return "".join(ANSWER).format(vendor=vendor)

    def seen(self, vendor: str) -> list[Call]:
        return [call for call in self.calls if call.vendor == vendor]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _take(self, target: str, method: str, headers: Mapping[str, str], raw: bytes) -> tuple[int, Reply]:
        if target == LOGIN_PATH:
            return 200, Reply({"access_token": self.all["vertex"].key, "token_type": "Bearer", "expires_in": 3600})
        vendor, _slash, path = urlsplit(target).path.removeprefix("/").partition("/")
        text = raw.decode(errors="replace")
        if vendor not in self.all:  # Vertex AI, whose address takes no path
            vendor, path = "vertex", f"{vendor}/{path}"
        call = Call(vendor, f"/{path}", headers, json.loads(text) if text.startswith("{") else None, f"{method} {target}\n{dict(headers)}\n{text}")
        self.calls.append(call)
        known = self.all[vendor]
        asked = {**headers, **{name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}}
        if vendor in self.angry or not known.knows(asked):
            return 401, Reply({"message": "invalid api key", "error": {"message": "invalid api key", "type": "authentication_error"}})
        return 200, known.answer(call, tuple(word.format(vendor=vendor) for word in ANSWER))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        vendors = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                status, reply = vendors._take(self.path, self.command, {name.lower(): value for name, value in self.headers.items()}, body)
                self.send_response(status)
                content = b"".join(_frames(reply))
                self.send_header("Content-Type", "text/event-stream" if reply.events else "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_HEAD = do_POST

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        return Handler


def _frames(reply: Reply) -> Iterator[bytes]:
    if not reply.events:
        yield json.dumps(reply.document).encode()
    for name, data in reply.events:
        text = data if isinstance(data, str) else json.dumps(data)
        yield (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()
