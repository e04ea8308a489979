# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Calls of the client, in scripted conversations: what it sends, whether a value is accepted, the gateway's clock."""

from __future__ import annotations

import datetime as dt
from email.utils import format_datetime
from pathlib import Path

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm import errors
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.scripted import Exchange, Reply, ScriptedGateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.plugins.module_utils.litellm.client_parts import (
    AUTH_DATABASE_AWAY,
    KEY,
    OK,
    client_of,
    refusal,
)


# --------------------------------------------------------------------------------------------------------- what is sent
def test_a_get_and_a_post() -> None:
    headers = {"Authorization": f"Bearer {KEY}", "User-Agent": "rhpds.litellm_virtual_keys"}
    with ScriptedGateway(
        Exchange("GET", "/key/list", query={"key_alias": "a b&c=d/é", "page": "1"}, headers=headers, reply=OK),
        Exchange("POST", "/key/update", query={}, headers=headers, body={"key": "t", "n": None}, reply=Reply(json={"a": 1})),
    ) as gateway:
        client = client_of(gateway.url)
        assert client.get("/key/list", {"key_alias": "a b&c=d/é", "page": 1}) == {"keys": []}
        assert client.post("/key/update", {"key": "t", "n": None}) == {"a": 1}
        assert client.calls == 2


def test_one_connection_serves_many_calls() -> None:
    with ScriptedGateway(*[Exchange("GET", "/models", reply=OK)] * 5) as gateway:
        opened = []
        accept = gateway._server.get_request
        gateway._server.get_request = lambda: opened.append(1) or accept()  # type: ignore[func-returns-value,method-assign]
        client = client_of(gateway.url)
        for _call in range(5):
            client.get("/models")
        assert len(opened) == 1


@pytest.mark.parametrize("end", ["", "/", "//", "/v1", "/v1/"])
def test_the_url_may_end_as_an_sdk_expects_it(end: str) -> None:
    with ScriptedGateway(Exchange("GET", "/models", reply=OK)) as gateway:
        client_of(gateway.url + end).get("/models")


def test_a_path_in_the_url_is_kept() -> None:
    with ScriptedGateway(Exchange("GET", "/litellm/models", reply=OK)) as gateway:
        client_of(gateway.url + "/litellm/").get("/models")


def test_netrc_does_not_replace_the_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password something\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    expected = {"Authorization": f"Bearer {KEY}"}
    with ScriptedGateway(
        Exchange("GET", "/models", headers=expected, reply=OK),
        Exchange("GET", "/models", headers={"Authorization": "Bearer sk-another-one-0123"}, reply=OK),
    ) as gateway:
        client = client_of(gateway.url)
        client.get("/models")
        client.accepts("sk-another-one-0123")


def test_a_redirect_is_not_followed_and_gets_no_key() -> None:
    with ScriptedGateway() as other_host:
        answer = Reply(status=302, text="", headers={"Location": f"{other_host.url}/models"})
        with ScriptedGateway(Exchange("GET", "/models", reply=answer)) as gateway:
            with pytest.raises(errors.NotLitellm, match="redirects GET /models to .*; give the final address in url"):
                client_of(gateway.url).get("/models")
        assert other_host.requests == []


# -------------------------------------------------------------------------------------------------------------- accepts
@pytest.mark.parametrize(
    ("reply", "accepted"),
    [
        (Reply(json={"data": []}), True),
        (refusal("unknown", "token_not_found_in_db", 401), False),
        (refusal("Authentication Error - Expired Key.", "expired_key", 401), False),
        (Reply(status=403, json={"detail": "Virtual key is not allowed to call this route."}), True),
    ],
    ids=str,
)
def test_accepts(reply: Reply, accepted: bool) -> None:
    headers = {"Authorization": "Bearer sk-a-users-value-01"}
    with ScriptedGateway(Exchange("GET", "/models", headers=headers, reply=reply)) as gateway:
        assert client_of(gateway.url).accepts("sk-a-users-value-01") is accepted


@pytest.mark.parametrize("reply", [refusal("slow down", status=429), Reply(status=503, text="<html>")])
def test_a_call_that_costs_money_is_made_once(reply: Reply, waits: list[float]) -> None:
    with ScriptedGateway(Exchange("POST", "/v1/chat/completions", headers={"Authorization": "Bearer sk-a-users"}, reply=reply)) as gateway:
        assert client_of(gateway.url, waits).post_as("sk-a-users", "/v1/chat/completions", {"model": "m"}).status == reply.status
    assert waits == []


def test_a_call_that_costs_money_is_not_repeated_when_its_answer_is_lost(waits: list[float]) -> None:
    with ScriptedGateway(Exchange("POST", "/v1/embeddings", reply=Reply(json={"data": []}, cut=True))) as gateway:
        with pytest.raises(errors.Unreachable, match="to POST /v1/embeddings after 1 try: "):
            client_of(gateway.url, waits).post_as("sk-a-users", "/v1/embeddings", {"model": "m"})
    assert waits == []


def test_a_key_over_its_budget_counts_as_accepted() -> None:
    spent = refusal("Budget has been exceeded!", "budget_exceeded", 429)
    with ScriptedGateway(Exchange("GET", "/models", reply=spent)) as gateway:
        assert client_of(gateway.url).accepts("sk-a-users-value-01") is True


@pytest.mark.parametrize(
    "reply",
    [refusal(AUTH_DATABASE_AWAY, "no_db_connection", 503), Reply(status=502, text="<html>"), refusal("no", status=404)],
    ids=str,
)
def test_a_failing_gateway_does_not_prove_a_revocation(reply: Reply) -> None:
    tries = 1 if reply.status == 404 else 3
    with ScriptedGateway(*[Exchange("GET", "/models", reply=reply)] * tries) as gateway:
        with pytest.raises(errors.GatewayError):
            client_of(gateway.url).accepts("sk-a-users-value-01")


# ---------------------------------------------------------------------------------------------------------------- clock
@pytest.mark.parametrize("ahead", [-10_800, -1, 0, 1, 18_000])
def test_now_follows_the_clock_of_the_gateway(ahead: int) -> None:
    then = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=ahead)
    reply = Reply(json={}, headers={"Date": format_datetime(then, usegmt=True)})
    with ScriptedGateway(Exchange("GET", "/models", reply=reply)) as gateway:
        client = client_of(gateway.url)
        assert abs(client.now() - dt.datetime.now(dt.UTC)) < dt.timedelta(seconds=1)
        client.get("/models")
        assert abs(client.now() - then) < dt.timedelta(seconds=2)
        if abs(ahead) <= 1:
            assert abs(client.now() - dt.datetime.now(dt.UTC)) < dt.timedelta(milliseconds=100), "no jitter within a second"


@pytest.mark.parametrize("date", ["", "yesterday", "Sat, 21 Nov 2026 12:00:00 -0000"])
def test_an_unreadable_date_is_ignored(date: str) -> None:
    with ScriptedGateway(Exchange("GET", "/models", reply=Reply(json={}, headers={"Date": date}))) as gateway:
        client_of(gateway.url).get("/models")
