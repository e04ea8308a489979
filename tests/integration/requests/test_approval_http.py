# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The rule `http` against a real service on loopback, with TLS, and every way in which a service can fail."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval import context as contexts
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval.chain import Chain, ChainOutcome
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval.loader import load_chain
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.approval.request import parse_request
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.approval import DECISIONS, Authority, Service, serving


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.made_in(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as service:
        yield service


@pytest.fixture
def secure(authority: Authority) -> Iterator[Service]:
    with serving(authority.context()) as service:
        yield service


def decide(requests: list[dict[str, Any]], *entries: dict[str, Any], parallel: int = 8) -> list[ChainOutcome]:
    context = contexts.build(DataLoader())
    return Chain(load_chain(list(entries), context), parallel=parallel).decide([parse_request(request) for request in requests], context)


def http(endpoint: str, on_error: str | None = None, **config: Any) -> dict[str, Any]:
    if endpoint.startswith("http:"):
        config.setdefault("allow_http", True)
    return {"name": "http", "on_error": on_error, "config": {"endpoint": endpoint, "retries": 0, "timeout": 20, **config}}


def ask(endpoint: str, on_error: str | None = None, model: Any = "gpt-4", **config: Any) -> ChainOutcome:
    return decide(
        [{"email": "user@company.com", "models": model if isinstance(model, list) else [model], "request_id": "req_1"}], http(endpoint, on_error, **config)
    )[0]


# ------------------------------------------------------------------------------------------------------ what is asked
@pytest.mark.parametrize("decision", DECISIONS)
def test_its_decisions(service: Service, decision: str) -> None:
    outcome = ask(f"{service.url}/{decision}")
    assert outcome.trace[0].decision == decision
    assert outcome.decision == ("DENY" if decision == "CONTINUE" else decision)
    (asked,) = service.asked
    assert asked.body == {"email": "user@company.com", "model": "gpt-4", "request_id": "req_1"}
    assert asked.headers["Content-Type"] == "application/json"


def test_headers_are_sent_and_shown_nowhere(service: Service) -> None:
    outcome = ask(f"{service.url}/DENY?tenant=7", headers={"Authorization": "Bearer s3cret-token"})
    assert service.asked[0].headers["Authorization"] == "Bearer s3cret-token"
    assert service.asked[0].path == "/DENY?tenant=7"
    assert "s3cret" not in repr(outcome.trace) + outcome.reason
    assert "tenant" not in repr(outcome.trace)
    echoed = ask(f"{service.url}/echo", headers={"Authorization": "Bearer s3cret-token"})
    assert "you sent ********" in echoed.trace[0].detail


def test_netrc_files_and_cookies_are_ignored(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.touch(mode=0o600)
    netrc.write_text("machine 127.0.0.1 login me password s3cret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    requests = [{"email": f"user{number}@company.com", "model": "gpt-4"} for number in range(3)]
    decide(requests, http(f"{service.url}/cookie"), parallel=1)
    assert len(service.asked) == 3
    assert not any("Authorization" in asked.headers or "Cookie" in asked.headers for asked in service.asked)


def test_several_models_are_several_questions(service: Service) -> None:
    endpoint = f"{service.url}/by-model"
    for models, expected in (
        (["approve", "Approve"], "APPROVE"),
        (["approve", "deny"], "DENY"),
        (["approve", "continue"], "DENY"),  # nothing approved it
        (["approve", "review", "continue"], "REVIEW"),
    ):
        service.asked.clear()
        assert ask(endpoint, model=models).decision == expected
        assert [asked.body["model"] for asked in service.asked] == models


def test_its_reason_is_for_the_administrator(service: Service) -> None:
    outcome = ask(f"{service.url}/with-reason")
    assert outcome.decision == "DENY"
    assert "(cost center [31m is closed)" in outcome.trace[0].detail
    assert "cost center" not in outcome.reason
    assert "127.0.0.1" not in outcome.reason


# --------------------------------------------------------------------------------------------------------------- TLS
def test_a_certificate_of_a_known_authority(secure: Service, authority: Authority) -> None:
    assert ask(f"{secure.url}/APPROVE", ca_path=str(authority.path)).decision == "APPROVE"


def test_a_certificate_of_an_authority_that_the_machine_trusts(secure: Service, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    assert ask(f"{secure.url}/APPROVE").decision == "APPROVE"


def test_an_unknown_authority_counts_as_no_answer(secure: Service) -> None:
    outcome = ask(f"{secure.url}/APPROVE", on_error="review")
    assert outcome.decision == "REVIEW"
    assert "not trusted" in outcome.trace[0].detail
    assert secure.asked == []


@pytest.mark.parametrize("wrong", [{"name": "other.example.com"}, {"expired": True}])
def test_a_certificate_with_another_name_or_an_expired_one_counts_as_no_answer(authority: Authority, wrong: dict[str, Any]) -> None:
    with serving(authority.context(**wrong)) as service:
        outcome = ask(f"{service.url}/APPROVE", on_error="review", ca_path=str(authority.path))
        assert outcome.decision == "REVIEW"
        assert service.asked == []


def test_an_environment_that_trusts_others_does_not_replace_ca_path(
    secure: Service, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.path))
    outcome = ask(f"{secure.url}/APPROVE", on_error="review", ca_path=str(Authority.made_in(other).path))
    assert outcome.decision == "REVIEW"


# ------------------------------------------------------------------------------------------------------------ failures
FAILURES = {
    "nonsense": "no decision",
    "null": "no decision",
    "number": "no decision",
    "listed": "no decision",
    "html": "no decision: '<html>APPROVE\\x1b[2J</html>'",
    "empty": "no decision",
    "deep": "no decision",
    "huge": "more than 64 KiB",
    "bomb": "more than 64 KiB",
    "endless": "more than 64 KiB",
    "silent": "no answer within 0.5 s",
    "drip-body": "no answer within 0.5 s",
    "drip-head": "no answer within 0.5 s",
    "drop": "could not be asked",
    "cut": "could not be asked",
    "not-http": "could not be asked",
    "201": "status 201",
    "204": "status 204",
    "401": "status 401",
    "404": "status 404",
    "500": "status 500",
    "503": "status 503",
    "redirect-other": "redirects to another host",
    "redirect-down": "redirects to another host",
    "redirect-user": "redirects to another host",
    "redirect-nowhere": "redirects to another host",
    "redirect-loop": "redirects more than 3 times",
    "redirect-get": "status 302",
}
SLOW = ("silent", "drip-body", "drip-head")  # for 3 seconds and longer


@pytest.mark.parametrize(("habit", "words"), FAILURES.items(), ids=list(FAILURES))
def test_a_failure_continues_unless_on_error_says_otherwise(secure: Service, authority: Authority, habit: str, words: str) -> None:
    with serving(authority.context()) as secure.other:
        started = time.monotonic()
        outcome = ask(f"{secure.url}/{habit}", ca_path=str(authority.path), timeout=0.5 if habit in SLOW else 20)
        assert time.monotonic() - started < 2.5 or habit not in SLOW
        assert outcome.trace[0].decision == "CONTINUE"
        assert words in outcome.trace[0].detail
        assert outcome.trace[0].detail.isprintable()
        assert outcome.reason == "No approval rule approved this request."
        assert secure.other.asked == []
        assert not any(asked.path.startswith("GET") for asked in secure.asked)
    assert ask(f"{secure.url}/401", "deny", ca_path=str(authority.path)).decision == "DENY"
    assert ask(f"{secure.url}/401", "review", ca_path=str(authority.path)).decision == "REVIEW"


def test_a_redirect_on_the_same_host_is_followed_with_the_question(service: Service) -> None:
    assert ask(f"{service.url}/redirect-same").decision == "APPROVE"
    assert [asked.path for asked in service.asked] == ["/redirect-same", "/APPROVE"]
    assert service.asked[0].body == service.asked[1].body


def test_the_body_of_a_redirect_is_not_read(service: Service) -> None:
    assert ask(f"{service.url}/redirect-endless").decision == "APPROVE"


def test_a_closed_port_and_an_unknown_name() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    outcome = ask(f"https://127.0.0.1:{port}/x?token=t0ken")
    assert outcome.trace[0].decision == "CONTINUE"
    assert "Connection refused" in outcome.trace[0].detail
    assert "t0ken" not in outcome.trace[0].detail
    assert ask("https://no-such-host.invalid/").trace[0].decision == "CONTINUE"


def test_a_name_server_that_hangs_takes_no_longer_than_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    # No test server can simulate a fault of the machine's resolver.
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(3))
    started = time.monotonic()
    assert "no answer within 0.5 s" in ask("https://approval.example.com/", timeout=0.5).trace[0].detail
    assert time.monotonic() - started < 2.5


def test_a_temporary_failure_is_retried_by_the_rule(service: Service) -> None:
    assert ask(f"{service.url}/better-again").decision == "DENY"
    service.asked.clear()
    assert ask(f"{service.url}/better-again", retries=1).decision == "APPROVE"
    service.asked.clear()
    assert ask(f"{service.url}/404", retries=5).decision == "DENY"
    assert len(service.asked) == 1


def test_a_service_that_is_down_is_not_waited_for_500_times(service: Service) -> None:
    requests = [{"email": f"user{number}@company.com", "model": "gpt-4", "request_id": f"req_{number}"} for number in range(500)]
    started = time.monotonic()
    outcomes = decide(requests, http(f"{service.url}/silent", on_error="review", timeout=0.5))
    assert time.monotonic() - started < 20  # one by one: 250 s
    assert {str(outcome.decision) for outcome in outcomes} == {"REVIEW"}
    assert re.search(r"was not asked, as it gave no answer \d+ times in a row", outcomes[-1].trace[0].detail)
    assert len(service.asked) < 30


def test_bad_answers_do_not_count_as_an_outage(service: Service) -> None:
    requests = [{"email": f"user{number}@company.com", "model": "gpt-4"} for number in range(50)]
    decide(requests, http(f"{service.url}/500"))
    assert len(service.asked) == 50


# --------------------------------------------------------------------------------------------------------------- speed
@pytest.mark.parametrize("tls", [False, True])
def test_500_requests_are_asked_about_several_at_a_time(authority: Authority, tls: bool) -> None:
    with serving(authority.context() if tls else None, seconds=0.05) as service:
        requests = [{"email": f"user{number}@company.com", "model": "gpt-4", "request_id": f"req_{number}"} for number in range(500)]
        config = {"ca_path": str(authority.path)} if tls else {}
        entry = http(f"{service.url}/APPROVE", timeout=5, **config)
        started = time.monotonic()
        outcomes = decide(requests, entry)
        took = time.monotonic() - started
    print(json.dumps({"requests": 500, "tls": tls, "seconds": round(took, 2), "connections": service.connections}))
    assert {str(outcome.decision) for outcome in outcomes} == {"APPROVE"}
    assert sorted(asked.body["request_id"] for asked in service.asked) == sorted(request["request_id"] for request in requests)
    assert service.connections <= 8  # each is used again
    assert took < 12  # one by one it would be 25 s and more
