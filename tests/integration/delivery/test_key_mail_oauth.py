# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Logging in to a mail server with an access token, given or fetched from a real HTTPS endpoint."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery.mailer import ENVIRONMENT
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.call_module import call_module
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.hooks import HookAnswer, HookFactory, HookServer
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.smtp import Server, SmtpFactory, TokenMailbox

TOKEN = "eyJ0eXAiOiJKV1QifQ.bearer-0123456789.signature"
SECRET, REFRESH = "client~secret/0123456789", "1//refresh-0123456789"
DENIAL = {"kind": "denial", "to": "ada@example.org", "id": "1"}

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENVIRONMENT.values():
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def office(smtp: SmtpFactory) -> Server:
    """A mail server that takes the token of keys@example.com."""
    return smtp(tokens={"keys@example.com": TOKEN})


@pytest.fixture
def endpoint(hooks: HookFactory, monkeypatch: pytest.MonkeyPatch) -> HookServer:
    """A token endpoint that gives the token."""
    server = hooks()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", server.ca_path)
    server.answers.append(HookAnswer(body=json.dumps({"token_type": "Bearer", "expires_in": 3599, "access_token": TOKEN}).encode()))
    return server


def key_mail(server: Server, *messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    options = {**server.options, "user": "keys@example.com", "messages": list(messages or (DENIAL,)), **more}
    result: dict[str, Any] = call_module("key_mail", options, no_log=False)
    for secret in (TOKEN, SECRET, REFRESH):
        assert secret not in json.dumps(result)
    return result


def client(endpoint: HookServer, **more: Any) -> dict[str, Any]:
    return {"oauth_token_url": f"{endpoint.url}/tenant/oauth2/v2.0/token", "oauth_client_id": "app-1", "oauth_client_secret": SECRET, **more}


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_given_token(smtp: SmtpFactory, tls: str) -> None:
    server = smtp(tls, tokens={"keys@example.com": TOKEN})
    assert key_mail(server, oauth_token=TOKEN)["counts"]["sent"] == 1
    assert (server.mailbox.received[0].user, server.mailbox.received[0].encrypted) == ("keys@example.com", True)


def test_a_token_for_the_credentials_of_a_client(office: Server, endpoint: HookServer) -> None:
    messages = [{**DENIAL, "to": f"user{number}@example.org"} for number in range(5)]
    result = key_mail(office, *messages, **client(endpoint, oauth_scope="https://outlook.office365.com/.default"))
    assert result["counts"]["sent"] == 5
    (posted,) = endpoint.posts
    assert parse_qs(posted.body.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["app-1"],
        "client_secret": [SECRET],
        "scope": ["https://outlook.office365.com/.default"],
    }


def test_a_token_for_a_refresh_token_from_the_environment(office: Server, endpoint: HookServer, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"TOKEN_URL": endpoint.url, "CLIENT_ID": "app-1", "CLIENT_SECRET": SECRET, "REFRESH_TOKEN": REFRESH}
    for name, value in settings.items():
        monkeypatch.setenv(f"SMTP_OAUTH_{name}", value)
    assert key_mail(office)["counts"]["sent"] == 1
    form = parse_qs(endpoint.posts[0].body.decode())
    assert (form["grant_type"], form["refresh_token"]) == (["refresh_token"], [REFRESH])


def test_a_busy_endpoint_is_asked_again(office: Server, endpoint: HookServer) -> None:
    endpoint.answers[:0] = [HookAnswer(503), HookAnswer(hang_up=True), HookAnswer(429)]
    assert key_mail(office, **client(endpoint))["counts"]["sent"] == 1
    assert len(endpoint.posts) == 4


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (HookAnswer(401, json.dumps({"error": "invalid_client", "error_description": f"AADSTS7000215: wrong {SECRET}"}).encode()), "AADSTS7000215: wrong ***"),
        (HookAnswer(400, b'{"error": "invalid_grant"}'), "400 invalid_grant"),
        (HookAnswer(200, b"<html>"), "answered without one that can be used"),
        (HookAnswer(200, json.dumps({"access_token": "a\r\nb"}).encode()), "answered without one that can be used"),
        (HookAnswer(200, b"[" * 60_000), "answered without one that can be used"),
        (HookAnswer(302, b"", {"Location": "https://127.0.0.1/elsewhere"}), "answered 302"),
    ],
)
def test_an_endpoint_that_gives_no_token(office: Server, endpoint: HookServer, answer: HookAnswer, words: str) -> None:
    endpoint.answers[:] = [answer]
    result = key_mail(office, DENIAL, {**DENIAL, "to": "bob@example.org"}, **client(endpoint))
    assert words in result["msg"]
    assert {(each["status"], each["temporary"]) for each in result["mails"]} == {("failed", True)}
    assert (len(endpoint.posts), office.mailbox.connections) == (1, 0)


def test_the_endpoints_certificate_is_checked(office: Server, hooks: HookFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = hooks(certificate="other.example.com")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", wrong.ca_path)
    assert "the certificate of 127.0.0.1 is not accepted" in key_mail(office, **client(wrong))["msg"]
    assert wrong.posts == []


def test_a_token_that_the_server_does_not_accept(office: Server) -> None:
    result = key_mail(office, oauth_token="expired-0123456789")
    assert "does not let the user in: 535" in result["msg"]
    assert result["mails"][0]["temporary"] is True
    assert "expired-0123456789" not in json.dumps(result)
    assert isinstance(office.mailbox, TokenMailbox)
    assert office.mailbox.forms[1:] == [b""]  # the details of the refusal are answered with an empty line


def test_a_server_that_takes_no_tokens(smtp: SmtpFactory) -> None:
    server = smtp(users={"keys@example.com": "password"})
    assert "does not offer a login with an access token (XOAUTH2)" in key_mail(server, oauth_token=TOKEN)["msg"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"oauth_token": TOKEN, "password": "x"}, "leave password out"),
        ({"oauth_token": TOKEN, "user": ""}, "give user"),
        ({"oauth_token": f"Bearer {TOKEN}"}, "oauth_token holds a blank"),
        ({"oauth_token": TOKEN, "oauth_token_url": "https://login.example.com/token"}, "both oauth_token and oauth_token_url"),
        ({"oauth_client_id": "app-1", "oauth_client_secret": SECRET}, "oauth_token_url is missing"),
        ({"oauth_token_url": "http://login.example.com/token", "oauth_client_id": "app-1", "oauth_client_secret": SECRET}, "address without encryption"),
        ({"oauth_token_url": "https://login.example.com/token", "oauth_client_secret": SECRET}, "oauth_client_id is missing"),
        ({"oauth_token_url": "https://login.example.com/token", "oauth_client_id": "app-1"}, "neither oauth_client_secret nor oauth_refresh_token"),
    ],
)
def test_settings_that_cannot_work(office: Server, more: dict[str, Any], message: str) -> None:
    result = key_mail(office, **more)
    assert message in result["msg"]
    assert (result["code"], office.mailbox.connections) == ("bad_input", 0)
