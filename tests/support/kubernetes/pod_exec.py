# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""A stand-in for the one call of the Kubernetes API that needs a node: running a command in a pod.

The tests' API server has no nodes, so no pod can run there. This server answers the exec call as a kubelet does, over a
WebSocket with one channel each for output, errors and the status, and runs the command on this machine. The rest is real:
kubernetes.core.k8s_exec, psql, and the gateway's PostgreSQL.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

# What clients ask for first.
DISCOVERY: dict[str, object] = {
    "/version": {"major": "1", "minor": "31", "gitVersion": "v1.31.0"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    "/api/v1": {
        "kind": "APIResourceList",
        "groupVersion": "v1",
        "resources": [{"name": "pods", "singularName": "pod", "namespaced": True, "kind": "Pod", "verbs": ["get"]}],
    },
}
STDOUT, STDERR, STATUS = 1, 2, 3
PROTOCOL = "v4.channel.k8s.io"


class PodExec:
    """Answers exec calls for any pod by running the command in `environment`; `commands` and `pods` record the calls."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = dict(environment)
        self.commands: list[list[str]] = []
        self.pods: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                url = urlsplit(self.path)
                if url.path.endswith("/exec") and self.headers.get("Upgrade", "").lower() == "websocket":
                    outer.pods.append(url.path)
                    self._exec(parse_qs(url.query)["command"])
                elif url.path.rstrip("/") in DISCOVERY:
                    self._json(200, DISCOVERY[url.path.rstrip("/")])
                else:
                    self._json(404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404})

            def _exec(self, command: list[str]) -> None:
                key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
                self.send_response(101)
                self.send_header("Upgrade", "websocket")
                self.send_header("Connection", "Upgrade")
                self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
                self.send_header("Sec-WebSocket-Protocol", PROTOCOL)
                self.end_headers()
                outer.commands.append(command)
                done = subprocess.run(command, env=outer.environment, capture_output=True, check=False)
                status = {"status": "Success"}
                if done.returncode:
                    causes = [{"reason": "ExitCode", "message": str(done.returncode)}]
                    status = {"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": causes}}
                for channel, data in ((STDOUT, done.stdout), (STDERR, done.stderr), (STATUS, json.dumps(status).encode())):
                    if data:
                        self._frame(0x2, bytes([channel]) + data)
                self._frame(0x8, (1000).to_bytes(2, "big"))
                self.close_connection = True

            def _frame(self, opcode: int, payload: bytes) -> None:
                size = len(payload)
                head = bytes([size]) if size < 126 else bytes([126]) + size.to_bytes(2, "big")
                self.wfile.write(bytes([0x80 | opcode]) + head + payload)
                self.wfile.flush()

            def _json(self, code: int, body: object) -> None:
                data = json.dumps(body).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def kubeconfig(self, path: Path) -> Path:
        """Write a kubeconfig file for this server and return its path."""
        address = f"http://127.0.0.1:{self._server.server_address[1]}"
        path.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "here", "cluster": {"server": address}}],
                    "users": [{"name": "me", "user": {"token": "none"}}],
                    "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
                    "current-context": "here",
                }
            )
        )
        return path
