# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The least page on which `open.js` opens sealed keys, with the server's part of its contract, on a real store and with a strict policy."""

from __future__ import annotations

import html
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.box_keeper import look_at_box, take_box
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import now
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import BoxOpened, StoreError

SCRIPT = Path(__file__).parents[3] / "roles" / "key_portal" / "files" / "portal" / "static" / "open.js"
POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
STATES = ("ready", "working", "shown", "opened", "expired", "missing", "incomplete", "damaged", "unreachable", "unsupported")
PRESS = "document.querySelector('[data-open-button]').click(); document.querySelector('[data-open-button]').click();"
"""Somebody who presses the button, twice in a hurry."""
STATUSES = {"box_missing": 404, "box_opened": 410, "box_expired": 410, "box_refused": 403}


@dataclass
class OpeningPage:
    """The page of one store. `pressed` says whether somebody presses the button; `seen` are method, path and body of what was asked for."""

    store: DirectoryStore
    pressed: bool = True
    seen: list[tuple[str, str, str]] = field(default_factory=list)
    url: str = ""

    def posts(self) -> list[str]:
        return [body for method, _path, body in self.seen if method == "POST"]


def markup(box_id: str, press: bool) -> str:
    fields = "".join(f'<code data-open-field="{name}"></code>' for name in ("key", "url", "models", "expires", "alias"))
    parts = {
        "ready": "<button data-open-button>Open</button>",
        "shown": f"{fields}<pre data-open-variables></pre><p data-open-never>never</p><button data-open-save>Save</button>",
        "opened": "<time data-open-when></time>",
    }
    states = "".join(f'<section data-open-state="{state}" hidden>{parts.get(state, state)}</section>' for state in STATES)
    shown = html.escape(box_id)
    scripts = "".join(f'<script src="/{name}" defer></script>' for name in ("open.js", *(("press.js",) if press else ())))
    page = f'<main data-open-box="{shown}" data-open-url="/open/{shown}" data-open-csrf="token">{states}</main>'
    return f'<!DOCTYPE html><html lang="de"><head><meta charset="utf-8"><title>Key</title>{scripts}</head><body>{page}</body></html>'


def handler_for(page: OpeningPage) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page.seen.append(("GET", self.path, ""))
            if self.path == "/open.js":
                self._answer(200, SCRIPT.read_text(encoding="utf-8"), "text/javascript")
            elif self.path == "/press.js":
                self._answer(200, PRESS, "text/javascript")
            elif self.path.startswith("/open/"):
                self._answer(200, markup(self.path.removeprefix("/open/"), page.pressed), "text/html")
            else:
                self._answer(404, "", "text/plain")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            page.seen.append(("POST", self.path, body))
            box_id = self.path.removeprefix("/open/")
            assert self.headers["X-CSRF-Token"] == "token" and self.headers["Content-Type"] == "application/json"
            try:
                box = take_box(page.store, box_id, now(), proof=json.loads(body)["proof"])
                answer, status = {"id": box.id, "request_id": box.request_id, "contents": box.contents}, 200
            except StoreError as error:
                answer, status = {"code": error.code}, STATUSES[error.code]
                if isinstance(error, BoxOpened):
                    answer["opened_at"] = look_at_box(page.store, box_id, now())[0].opened_at
            self._answer(status, json.dumps(answer), "application/json")

        def _answer(self, status: int, text: str, kind: str) -> None:
            content = text.encode()
            self.send_response(status)
            headers = {"Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(content)), "Cache-Control": "no-store"}
            headers |= {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: object) -> None:
            return

    return Handler


@contextmanager
def opening_page(store: DirectoryStore) -> Iterator[OpeningPage]:
    """Serve the page of the store on loopback."""
    page = OpeningPage(store)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_for(page))
    page.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield page
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
