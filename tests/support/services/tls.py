# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The fixture ``tls_provider``: an OpenAI-compatible provider on TLS with a certificate of a private authority."""

from __future__ import annotations

import dataclasses
import json
import shutil
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.kubernetes import cluster

ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "real",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Spoken over TLS."}}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4},
}


@dataclasses.dataclass(frozen=True)
class TlsProvider:
    url: str
    ca_dir: Path
    """A directory with the authority's certificate, as an admin would have it."""


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps(ANSWER).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


def server_files(folder: Path) -> Path:
    """Return a new folder in `folder` with server.crt, server.key and their authority, ca.crt, and with other.key, which belongs to another certificate."""
    for name in ("other", "tls"):
        (folder / name).mkdir()
        cluster.make_certificates(folder / name)
    shutil.copy(folder / "other" / "server.key", folder / "tls" / "other.key")
    return folder / "tls"


@pytest.fixture
def tls_provider(tmp_path: Path) -> Iterator[TlsProvider]:
    files, ca_dir = tmp_path / "tls", tmp_path / "authorities"
    files.mkdir()
    ca_dir.mkdir()
    cluster.make_certificates(files)
    shutil.copy(files / "ca.crt", ca_dir / "company.crt")
    (ca_dir / "README.txt").write_text("not a certificate")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files / "server.crt", files / "server.key")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield TlsProvider(f"https://127.0.0.1:{server.server_port}/v1", ca_dir)
        server.shutdown()
        thread.join()
