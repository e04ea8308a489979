# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Whatever arrives: too much, too slow, nonsense. Nothing raises in the middle, is repeated, or shows what is inside."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.base import Listing
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import Busy, StoreUnreachable
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.limits import MOST_OVERDUE, AnswerLimit, BodyLimit
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.recent import Recent
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.roles.key_portal.conftest import KeptMails, TestPortal, basic, person

JSON = {"Content-Type": "application/json"}
KEY = "sk-" + "d" * 43
NONSENSE = [
    b"",
    b"{",
    b"null",
    b'{"llm": "\\ud800", "email": "ada@company.com"}',
    b'{"llm": "granite", "email": "\\ud800@company.com"}',
    b'{"llm": "\\u0000", "email": "\\u0000"}',
    b'{"\\ud800": 1}',
    b"\xff\xfe\x00",
    b"[" * 60_000,
    b'{"llm": ' + b"9" * 5_000 + b"}",
    b'{"llm": NaN, "email": Infinity}',
    b'{"llm": "' + KEY.encode() + b'", "' + KEY.encode() + b'": "x"}',
    b'{"a":' * 9_000,
]


@pytest.mark.parametrize("content", NONSENSE, ids=range(len(NONSENSE)))
@pytest.mark.parametrize("path", ["/api/request-key", "/api/v1/requests", "/api/admin/requests/x/deny", "/api/v1/admin/requests/x/approve"])
def test_nonsense_is_refused(portal: TestPortal, path: str, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    headers = {**JSON, **(person("ada@company.com") if path.endswith("v1/requests") else basic())}
    answer = portal.client.post(path, content=content, headers=headers)
    assert answer.status_code in (200, 400, 404, 422), answer.text
    assert answer.status_code != 200 or answer.json()["success"] is False
    assert "ddddddd" not in answer.text and "ddddddd" not in caplog.text
    assert portal.store.listing().records == ()


@pytest.mark.parametrize("size", [65_537, 20_000_000])
def test_a_large_body_is_refused(portal: TestPortal, size: int) -> None:
    answer = portal.client.post("/api/request-key", content=b"x" * size, headers=JSON)
    assert (answer.status_code, answer.json(), answer.headers["connection"]) == (413, {"detail": "The body of the call is too large."}, "close")


def test_a_large_body_that_does_not_say_so_is_refused(portal: TestPortal) -> None:
    answer = portal.client.post("/api/request-key", content=(b"x" * 1000 for _number in range(100)), headers=JSON)
    assert answer.status_code == 413


def test_a_body_of_the_allowed_size_is_taken(make_portal: Callable[..., TestPortal]) -> None:
    portal = make_portal(largest_body=1024)
    body = b'{"llm": "granite", "email": "ada@company.com"'
    answer = portal.client.post("/api/request-key", content=body + b" " * (1023 - len(body)) + b"}", headers=JSON)
    assert answer.json()["success"] is True


def test_a_body_that_does_not_arrive_is_given_up() -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.sleep(60)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
    asyncio.run(BodyLimit(_never, largest=1024, seconds=0.05)(scope, receive, send))
    assert sent[0]["status"] == 408


async def _never(*_arguments: Any) -> None:
    raise AssertionError("the application is not to be called")


def test_a_fault_of_ours_is_500_and_keeps_secrets(portal: TestPortal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def fail(*_arguments: Any) -> Any:
        raise ZeroDivisionError(f"about {KEY} in /etc/shadow")

    monkeypatch.setattr(portal.store, "_read", fail)
    answer = portal.client.get("/api/admin/requests/x", headers={**basic(), "Origin": "http://localhost:5174"})
    assert (answer.status_code, answer.json()) == (500, {"detail": "Internal server error"})
    assert answer.headers["access-control-allow-origin"] == "http://localhost:5174", "so that the panel can show it"
    assert "ZeroDivisionError" in caplog.text and "ddddddd" not in caplog.text


@pytest.mark.parametrize(("accept", "kind"), [("text/html,*/*", "text/html"), ("application/json", "application/json"), ("*/*", "application/json")])
def test_a_fault_of_ours_on_a_page_is_a_page(site: TestPortal, monkeypatch: pytest.MonkeyPatch, accept: str, kind: str) -> None:
    def fail(*_arguments: Any) -> Any:
        raise ZeroDivisionError(f"about {KEY} in /etc/shadow")

    monkeypatch.setattr(site.store, "_read", fail)
    answer = site.client.get("/admin/x", headers={**basic(), "Accept": accept, "Accept-Language": "de"})
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (500, kind)
    assert "shadow" not in answer.text and ("Das ging nicht" in answer.text) == (kind == "text/html")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_a_page_that_cannot_say_so_either_is_json(site: TestPortal, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(site.app.state.assets, "icon", fail)
    answer = site.client.get("/ask", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.json()) == (500, {"detail": "Internal server error"})


def test_a_store_that_is_down_is_503(portal: TestPortal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def down(*_arguments: Any, **_options: Any) -> Any:
        raise StoreUnreachable("The Kubernetes API at https://10.0.0.1 does not answer.")

    for name in ("_read", "_names", "_beside"):
        monkeypatch.setattr(portal.store, name, down)
    for path, headers in (("/api/v1/requests", person("ada@company.com")), ("/api/v1/admin/requests", basic()), ("/api/v1/admin/audit", basic())):
        answer = portal.client.get(path, headers=headers)
        assert answer.status_code == 503 and "10.0.0.1" not in answer.text
        assert answer.headers["retry-after"] == "5"
    assert portal.get("/api/models", {}) == {"models": []}
    assert portal.get("/health", {}, 503)["components"]["store"] == {"status": "down"}
    assert "10.0.0.1" in caplog.text


def test_a_store_where_others_are_faster_is_409(portal: TestPortal, monkeypatch: pytest.MonkeyPatch) -> None:
    record = portal.ask()

    def busy(*_arguments: Any) -> Any:
        raise Busy("Request x was changed by others 12 times in a row in /srv/requests; try again.")

    monkeypatch.setattr(portal.store, "transition", busy)
    answer = portal.post(f"/api/v1/admin/requests/{record.id}/approve", {}, status=409)
    assert answer == {"detail": "The request was being changed by others; try again."}


def test_a_directory_that_others_can_write_serves_nothing(portal: TestPortal, tmp_path: Path) -> None:
    portal.ask()
    (tmp_path / "requests").chmod(0o777)
    portal.get("/api/v1/admin/requests", status=503)
    portal.get("/health", {}, 503)


def test_an_unknown_path_and_method(portal: TestPortal) -> None:
    assert portal.get("/api/nothing", status=404) == {"detail": "Not Found"}
    answer = portal.client.delete("/api/request-key")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    portal.get("/api/models/", status=404)


def test_documentation_needs_no_third_party(portal: TestPortal) -> None:
    for path in ("/docs", "/redoc"):
        page = portal.client.get(path)
        assert page.status_code == 200 and "http://" not in page.text and "https://" not in page.text
        for name in ("swagger-ui-bundle.js", "redoc.standalone.js"):
            if name in page.text:
                assert portal.client.get(f"/static-offline-docs/{name}").status_code == 200


def test_a_store_that_hangs_is_503_in_time_and_in_the_language(
    make_portal: Callable[..., TestPortal], mails: KeptMails, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal = make_portal(mails=mails, url="https://portal", answer_seconds=1.5, listing_seconds=0)
    record = portal.ask()
    goes_on = threading.Event()
    for name in ("_content", "_names", "_beside"):
        real = getattr(portal.store, name)
        monkeypatch.setattr(portal.store, name, lambda *given, real=real: goes_on.wait(30) and real(*given))
    headers = {**basic(), "Accept": "text/html", "Accept-Language": "es"}
    with portal.client:
        for path in ("/admin", f"/admin/{record.id}", f"/api/v1/admin/requests/{record.id}", "/api/admin/requests"):
            answer = portal.client.get(path, headers=headers)
            assert (answer.status_code, answer.headers.get("retry-after", "5")) == ((500 if path == "/api/admin/requests" else 503), "5")
            assert ('lang="es"' in answer.text) == path.startswith("/admin")
        assert portal.get("/health", {}, 503)["components"]["store"] == {"status": "down"}
        assert portal.get("/health", {}, 503)["status"] == "unhealthy", "the second does not wait"
        goes_on.set()
        deadline = time.monotonic() + 10
        while portal.client.get("/health").status_code == 503:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert portal.get(f"/api/v1/admin/requests/{record.id}")["request"]["request_id"] == record.id


def test_while_many_calls_hang_others_are_refused_at_once() -> None:
    async def check() -> list[int]:
        goes_on, sent = asyncio.Event(), []

        async def hang(scope: Any, _receive: Any, send: Any) -> None:
            if scope["path"] == "/slow":
                await goes_on.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})

        async def note(message: Any) -> None:
            if message["type"] == "http.response.start":
                sent.append(message["status"])

        limit = AnswerLimit(hang, seconds=0.05)

        async def call(path: str) -> None:
            await limit({"type": "http", "method": "GET", "path": path, "headers": []}, None, note)  # type: ignore[arg-type]

        await asyncio.gather(*(call("/slow") for _number in range(MOST_OVERDUE)))
        await call("/fast")
        await call("/health")
        goes_on.set()
        await asyncio.sleep(0.05)
        await call("/fast")
        return sent

    assert asyncio.run(check()) == [503] * (MOST_OVERDUE + 1) + [200, 200]


# ------------------------------------------------------------------------------------------------------ shared readings
def test_a_reading_that_hangs_makes_nobody_wait_for_long() -> None:
    goes_on = threading.Event()
    tries: list[int] = []

    def read() -> int:
        tries.append(1)
        goes_on.wait(30)
        return len(tries)

    recent: Recent[int] = Recent(read, 60, patience=0.2)
    for _number in range(3):
        began = time.monotonic()
        with pytest.raises(StoreUnreachable, match="within 0.2 s"):
            recent.get()
        assert time.monotonic() - began < 5
    recent.forget()
    goes_on.set()
    time.sleep(0.2)  # in which the reading ends
    assert (recent.get(), recent.get(), len(tries)) == (2, 2, 2), "what was being read when it changed is not kept"


def test_a_reading_is_shared_until_it_is_old_or_changed() -> None:
    now, read = [0.0], []
    recent = Recent(lambda: read.append(1) or len(read), 1.0, clock=lambda: now[0])  # type: ignore[func-returns-value]
    assert (recent.get(), recent.get()) == (1, 1)
    recent.forget()
    assert recent.get() == 2
    now[0] = 1.5
    assert recent.get() == 3


def test_what_is_read_while_it_changes_is_not_kept() -> None:
    def read() -> Listing:
        recent.forget()
        return Listing(())

    recent: Recent[Listing] = Recent(read, 60)
    assert recent.get() is not recent.get()


def test_an_error_is_shared_as_well() -> None:
    tries: list[int] = []

    def read() -> int:
        tries.append(1)
        raise StoreUnreachable("down")

    recent: Recent[int] = Recent(read, 60)
    for _number in range(3):
        with pytest.raises(StoreUnreachable):
            recent.get()
    assert len(tries) == 1


def test_a_view_of_one_listing_is_rendered_once(portal: TestPortal) -> None:
    rendered: list[int] = []

    def render(listing: Listing) -> bytes:
        rendered.append(len(listing.records))
        return str(len(listing.records)).encode()

    desk = portal.app.state.portal
    portal.ask()
    assert [desk.rendered("view", render) for _number in range(3)] == [b"1"] * 3 and rendered == [1]
    portal.ask("bob@company.com")
    desk.changed()
    assert desk.rendered("view", render) == b"2"
    for number in range(200):
        assert desk.rendered(number, render) == b"2"
    assert len(desk._rendered[1]) <= 50, "whatever people search for, it takes no more memory"
