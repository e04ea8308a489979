# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The portal as a process on a directory: calls of the requestor's front end and panel, harm, and its end."""

from __future__ import annotations

import json
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import Desk, Wish
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.portal import ADMIN, PASSWORD, PortalFactory, PortalProcess

FRONT_END, PANEL = "http://localhost:5173", "http://localhost:5174"
MOST_MEGABYTES = 150


def test_what_the_requestors_front_end_and_panel_do(run_portal: PortalFactory) -> None:
    portal = run_portal(CORS_ORIGINS=f"{FRONT_END};{PANEL}")
    session = requests.Session()

    def page(origin: str, method: str, path: str, **options: Any) -> requests.Response:
        """Make a call as the page of a browser does: first it asks whether it may."""
        headers = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": "authorization,content-type"}
        assert session.options(portal.url + path, headers=headers, timeout=10).headers["access-control-allow-origin"] == origin
        answer = session.request(method, portal.url + path, headers={"Origin": origin}, timeout=10, **options)
        assert answer.headers["access-control-allow-origin"] == origin
        return answer

    assert page(FRONT_END, "GET", "/api/featured-models").json() == {"models": []}
    assert page(FRONT_END, "GET", "/api/models").json() == {"models": []}
    asked = page(FRONT_END, "POST", "/api/request-key", json={"llm": "granite", "email": "ada@company.com"}).json()
    assert asked["success"] is True
    assert page(PANEL, "POST", "/api/admin/verify", auth=("admin", "wrong")).status_code == 401
    assert page(PANEL, "POST", "/api/admin/verify", auth=ADMIN).json() == {"authenticated": True, "username": "admin"}
    (listed,) = page(PANEL, "GET", "/api/admin/requests?filter=pending", auth=ADMIN).json()
    assert listed["request_id"] == asked["request_id"]
    path = f"/api/admin/requests/{asked['request_id']}"
    assert page(PANEL, "GET", path, auth=ADMIN).json() == listed
    assert page(PANEL, "POST", f"{path}/deny", auth=ADMIN, json={"reason": "Not now."}).json()["success"] is True
    assert page(PANEL, "POST", f"{path}/approve", auth=ADMIN).json()["success"] is True
    assert [entry["state"] for entry in page(PANEL, "GET", "/api/admin/requests?filter=all", auth=ADMIN).json()] == ["approved"]


def test_what_it_said_stays_when_it_is_killed(run_portal: PortalFactory) -> None:
    portal = run_portal()
    names = [portal.ask(f"user{number}@company.com") for number in range(5)]
    portal.stop(signal.SIGKILL)
    portal.start()
    assert {entry["request_id"] for entry in portal.call("GET", "/api/admin/requests", auth=ADMIN)} == set(names)
    assert portal.stop() in (0, -signal.SIGTERM)


def test_killed_at_any_moment_it_leaves_whole_requests(run_portal: PortalFactory, tmp_path: Path) -> None:
    portal = run_portal()
    for delay in (0.0, 0.01, 0.03, 0.06):
        with ThreadPoolExecutor(4) as pool:
            calls = [pool.submit(_ask_or_fail, portal, f"user{number}-{delay}@company.com") for number in range(8)]
            time.sleep(delay)
            portal.stop(signal.SIGKILL)
            said = [call.result() for call in calls]
        portal.start()
        kept = {entry["request_id"] for entry in portal.call("GET", "/api/admin/requests?filter=all", auth=ADMIN)}
        assert {request_id for request_id in said if request_id} <= kept
    assert DirectoryStore(str(tmp_path / "requests")).listing().set_aside == ()


def _ask_or_fail(portal: PortalProcess, email: str) -> str:
    try:
        return portal.ask(email)
    except requests.RequestException:
        return ""


def test_two_who_decide_at_once(run_portal: PortalFactory, tmp_path: Path) -> None:
    portal = run_portal()
    request_id = portal.ask("ada@company.com")
    version = portal.call("GET", f"/api/v1/admin/requests/{request_id}", auth=ADMIN)["request"]["version"]
    bodies = {"approve": {"version": version}, "deny": {"reason": "No.", "version": version}}

    def decide(name: str) -> int:
        return requests.post(f"{portal.url}/api/v1/admin/requests/{request_id}/{name}", json=bodies[name], auth=ADMIN, timeout=30).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(decide, ["approve", "deny"] * 4)) == [200] + [409] * 7
    assert len(DirectoryStore(str(tmp_path / "requests")).get(request_id).history) == 2


def test_the_same_asked_many_times_at_once_is_one_request(run_portal: PortalFactory) -> None:
    portal = run_portal()
    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(portal.ask, ["ada@company.com"] * 32))) == 1
    assert len(portal.call("GET", "/api/admin/requests", auth=ADMIN)) == 1


def test_a_body_of_twenty_megabytes(run_portal: PortalFactory) -> None:
    portal = run_portal()
    before = portal.memory()
    for body in (b"x" * 20_000_000, (b"x" * 100_000 for _number in range(200))):
        try:
            assert requests.post(f"{portal.url}/api/request-key", data=body, timeout=30).status_code == 413
        except requests.ConnectionError:
            pass  # it closed the connection while we were sending, which is as good
    assert portal.memory() - before < 20
    assert portal.ask("ada@company.com")


def test_a_body_that_never_comes(run_portal: PortalFactory) -> None:
    portal = run_portal(PORTAL_BODY_SECONDS="0.5")
    host, port = portal.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(b"POST /api/request-key HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert connection.recv(1000).startswith(b"HTTP/1.1 408")


def test_the_documented_password_is_refused_on_a_network(run_portal: PortalFactory) -> None:
    with pytest.raises(RuntimeError, match="set ADMIN_PASSWORD, or listen on"):
        run_portal(PORTAL_HOST="0.0.0.0", ADMIN_PASSWORD="change-me-in-production")


def test_addresses_are_believed_of_trusted_proxies_only(run_portal: PortalFactory) -> None:
    """With the documented password: who says that the call comes from elsewhere is elsewhere."""
    portal = run_portal(ADMIN_PASSWORD="change-me-in-production", PORTAL_TRUSTED_PROXIES="192.0.2.1")
    documented = ("admin", "change-me-in-production")
    portal.call("POST", "/api/admin/verify", auth=documented)
    portal.call("POST", "/api/admin/verify", auth=documented, headers={"X-Forwarded-For": "127.0.0.1"}, status=401)


def test_the_worker_can_be_anybody(run_portal: PortalFactory, tmp_path: Path) -> None:
    """What another program writes shows within the time that a listing is kept, and its report in /health."""
    portal = run_portal(PORTAL_LISTING_SECONDS="0.2")
    assert portal.call("GET", "/api/admin/requests", auth=ADMIN) == []
    store = DirectoryStore(str(tmp_path / "requests"))
    Desk(store).ask(Wish("bob@company.com", models=("granite",)))
    time.sleep(0.3)
    assert [entry["email"] for entry in portal.call("GET", "/api/admin/requests", auth=ADMIN)] == ["bob@company.com"]
    assert portal.call("GET", "/health")["components"]["passes"]["status"] == "never"


def test_a_directory_that_is_gone_comes_back(run_portal: PortalFactory, tmp_path: Path) -> None:
    portal = run_portal(PORTAL_LISTING_SECONDS="0")
    request_id = portal.ask("ada@company.com")
    (tmp_path / "requests").chmod(0o777)
    time.sleep(1.1)  # for which the report of the last pass is kept
    assert portal.call("GET", "/health", status=503)["status"] == "unhealthy"
    assert portal.call("GET", "/api/admin/requests", auth=ADMIN, status=500) == {"detail": "Failed to fetch requests"}
    assert portal.call("POST", "/api/request-key", json={"llm": "granite", "email": "bob@company.com"})["success"] is False
    (tmp_path / "requests").chmod(0o700)
    time.sleep(1.1)
    assert portal.call("GET", "/health")["status"] == "degraded"
    assert [entry["request_id"] for entry in portal.call("GET", "/api/admin/requests", auth=ADMIN)] == [request_id]


def test_memory_and_secrets(run_portal: PortalFactory, tmp_path: Path) -> None:
    key = "sk-" + "g" * 43
    portal = run_portal(LITELLM_MASTER_KEY=key, LITELLM_DERIVATION_SECRET="derive-from-this-secret")
    store = DirectoryStore(str(tmp_path / "requests"))
    for number in range(200):
        Desk(store).ask(Wish(f"user{number}@company.com", models=("granite",), purpose="A demo. " * 20))
    for _number in range(5):
        portal.call("GET", "/api/v1/admin/requests", auth=ADMIN, params={"page_size": 200})
        portal.call("POST", "/api/request-key", json={"llm": key, "email": key})
    assert portal.memory() < MOST_MEGABYTES
    said = portal.log.read_text() + json.dumps(portal.call("GET", "/openapi.json"))
    assert "LITELLM_MASTER_KEY is set" in said
    assert not [secret for secret in (key, "derive-from-this-secret", PASSWORD, "user1@company.com") if secret in said]
