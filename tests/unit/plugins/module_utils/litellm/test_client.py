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
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.client import Client, Connection
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.scripted import Exchange, Reply, ScriptedGateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.plugins.module_utils.litellm.client_parts import (
    AUTH_DATABASE_AWAY,
    KEY,
    MODELS,
    NO_DATABASE,
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
        Exchange("GET", "/models", headers={"Authorization": "Bearer sk-another-one-0123"}, reply=MODELS),
    ) as gateway:
        client = client_of(gateway.url)
        client.get("/models")
        client.accepts("sk-another-one-0123")


def test_another_header_for_the_key() -> None:
    headers = {"X-Litellm-Key": f"Bearer {KEY}", "Authorization": None}
    users = {"X-Litellm-Key": "Bearer sk-another-one-0123", "Authorization": None}
    with ScriptedGateway(
        Exchange("GET", "/key/list", headers=headers, reply=OK),
        Exchange("GET", "/models", headers=users, reply=MODELS),
        Exchange("POST", "/v1/embeddings", headers=users, reply=OK),
    ) as gateway:
        client = client_of(gateway.url, key_header_name="X-Litellm-Key")
        client.get("/key/list")
        assert client.accepts("sk-another-one-0123")
        assert client.post_as("sk-another-one-0123", "/v1/embeddings", {}).ok


def test_a_redirect_is_not_followed_and_gets_no_key() -> None:
    with ScriptedGateway() as other_host:
        answer = Reply(status=302, text="", headers={"Location": f"{other_host.url}/models"})
        with ScriptedGateway(Exchange("GET", "/models", reply=answer)) as gateway:
            with pytest.raises(errors.NotLitellm, match="redirects GET /models to .*; give the final address in url"):
                client_of(gateway.url).get("/models")
        assert other_host.requests == []


# -------------------------------------------------------------------------------------------------------------- accepts
def test_accepts_asks_with_the_value(waits: list[float]) -> None:
    headers = {"Authorization": "Bearer sk-a-users-value-01"}
    for reply, accepted in ((MODELS, True), (refusal("unknown", "token_not_found_in_db", 401), False)):
        with ScriptedGateway(Exchange("GET", "/models", headers=headers, reply=reply)) as gateway:
            assert client_of(gateway.url).accepts("sk-a-users-value-01") is accepted


def test_an_answer_that_says_what_is_asked_is_not_retried(waits: list[float]) -> None:
    busy = refusal("Key over limit", "throttling_error", 429, **{"Retry-After": "20"})
    with ScriptedGateway(Exchange("GET", "/models", reply=busy)) as gateway:
        assert client_of(gateway.url, waits).accepts("sk-a-users-value-01") is True
    assert waits == []


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(status=401, text="<html>Sign in</html>"), "HTTP 401 and an HTML page, which is not LiteLLM's own answer"),
        (Reply(status=401, json={"message": "Unauthorized"}), "HTTP 401 and Unauthorized, which"),
        (Reply(status=401, json={"detail": "Unauthorized"}), "HTTP 401 and Unauthorized, which"),
        (Reply(status=401, json={}), "HTTP 401 and content of type application/json, which"),
        (Reply(status=403, json={"message": "sk-a-users-value-01 is bad"}), r"HTTP 403 and \*\*\* is bad, which"),
        (Reply(text="<html>Welcome</html>"), "HTTP 200 and an HTML page, which"),
    ],
    ids=str,
)
def test_an_answer_that_is_not_litellms_is_told_apart(reply: Reply, words: str, waits: list[float]) -> None:
    with ScriptedGateway(Exchange("GET", "/models", reply=reply)) as gateway:
        with pytest.raises(errors.Inconclusive, match=words) as caught:
            client_of(gateway.url, waits).accepts("sk-a-users-value-01")
    assert "in front of the gateway" in str(caught.value) and waits == []


def test_a_gateway_that_reads_another_header_is_told_apart() -> None:
    malformed = refusal("Authentication Error, Malformed API Key passed in. Ensure Key has `Bearer ` prefix.", "auth_error", 401)
    with ScriptedGateway(Exchange("GET", "/models", reply=malformed)) as gateway:
        with pytest.raises(errors.Unauthorized, match="found no API key in the header Authorization.*key_header_name"):
            client_of(gateway.url).accepts("sk-a-users-value-01")


def test_no_try_begins_after_the_time_for_it(waits: list[float]) -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds

    with ScriptedGateway(*[Exchange("GET", "/models", reply=Reply(status=503, text=""))] * 3) as gateway:
        client = Client(Connection(url=gateway.url, api_key=KEY, retries=20, retry_delay=8), sleep=sleep, clock=lambda: now[0])
        with pytest.raises(errors.ServerFailed):
            client.accepts("sk-a-users-value-01", until=25)
        assert sum(waits) < 25 and 1 <= len(waits) <= 2
        now[0] = 25
        with pytest.raises(errors.OutOfTime):
            client.accepts("sk-a-users-value-01", until=25)
        missing = 3 - client.calls
        for _call in range(missing):  # the script has more replies than the random waits may ask for
            with pytest.raises(errors.ServerFailed):
                Client(Connection(url=gateway.url, api_key=KEY, retries=0)).get("/models")


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


@pytest.mark.parametrize(
    "reply",
    [
        refusal(AUTH_DATABASE_AWAY, "no_db_connection", 503),
        refusal(f"Authentication Error, {NO_DATABASE}", "auth_error", 401),
        Reply(status=502, text="<html>"),
        refusal("no", status=404),
    ],
    ids=str,
)
def test_a_failing_gateway_does_not_prove_a_revocation(reply: Reply) -> None:
    tries = 1 if reply.status == 404 else 3
    with ScriptedGateway(*[Exchange("GET", "/models", reply=reply)] * tries) as gateway:
        with pytest.raises(errors.GatewayError) as caught:
            client_of(gateway.url).accepts("sk-a-users-value-01")
    assert ("database" in str(caught.value)) == isinstance(caught.value, errors.NoDatabase)


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
