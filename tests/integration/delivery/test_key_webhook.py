# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The module key_webhook against real HTTPS servers, and its errors, which hide the address."""

from __future__ import annotations

import json
import logging
import socket
import time
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery.mail import Notice
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery.webhooks import WebhookTarget, send_webhooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.call_module import call_module
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.hooks import HookAnswer, HookFactory, HookServer

PATH, TOKEN = "/services/T0123/B4567/hush0123456789", "hush-header-0123456789"
KEY = "sk-stoEN1JAQJQCe8fmu0i5L_wwnqvuGMVYok3FbyaTj8s"
REVIEW = {
    "kind": "review",
    "id": "4711",
    "request_id": "4711",
    "email": "ada@example.org",
    "models": ["gpt-4"],
    "purpose": f"<!channel> @all [click](https://evil.example) *now* {KEY} & more",
    "commands": ["ansible-playbook approve -e request_id=4711"],
}
DENIAL = {"kind": "denial", "id": "9", "to": "bob@example.org", "reason": "No budget."}


def target(server: HookServer, **more: Any) -> dict[str, Any]:
    return {"name": "reviewers", "url": server.url + PATH, "ca_path": server.ca_path or None, "headers": {"Authorization": f"Bearer {TOKEN}"}, **more}


def key_webhook(targets: list[dict[str, Any]], *messages: dict[str, Any], check: bool = False, **more: Any) -> dict[str, Any]:
    options = {"targets": targets, "messages": list(messages or (REVIEW,)), "retry_delay": 0.05, **more}
    result: dict[str, Any] = call_module("key_webhook", options, check=check, no_log=False)
    for secret in ("hush0123456789", TOKEN):
        assert secret not in json.dumps(result)
    result.pop("invocation", None)  # before ansible-core 2.21, the messages as they were given
    assert KEY not in json.dumps(result)
    return result


# ------------------------------------------------------------------------------------------------------------ formats
def test_slack(hooks: HookFactory) -> None:
    server = hooks()
    assert key_webhook([target(server, format="slack")])["counts"]["sent"] == 1
    (posted,) = server.posts
    assert (posted.path, posted.headers["Content-Type"], posted.headers["Authorization"]) == (PATH, "application/json", f"Bearer {TOKEN}")
    text = posted.json["text"]
    assert text.startswith("A request for an LLM key waits for your decision\n\n")
    assert "&gt; &lt;!channel&gt; @all [click](https://evil.example) *now* sk-*** &amp; more" in text
    assert "    ansible-playbook approve -e request_id=4711" in text
    assert "Hello" not in text


def test_mattermost(hooks: HookFactory) -> None:
    server = hooks()
    key_webhook([target(server, format="mattermost", language="de")])
    text = server.posts[0].json["text"]
    assert text.startswith("**Eine Anfrage")
    assert "@all" not in text
    assert "[click](" not in text
    assert "ada@example.org" in text


def test_teams(hooks: HookFactory) -> None:
    server = hooks()
    server.answers.append(HookAnswer(202, b""))
    assert key_webhook([target(server, format="teams")])["counts"]["sent"] == 1
    (attachment,) = server.posts[0].json["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    body = attachment["content"]["body"]
    assert {block["type"] for block in body} == {"RichTextBlock"}
    runs = [run["text"] for block in body for run in block["inlines"]]
    assert runs[0] == "A request for an LLM key waits for your decision"
    assert any(run.endswith("*now* sk-*** & more") for run in runs)


def test_json(hooks: HookFactory) -> None:
    server = hooks()
    (post,) = key_webhook([target(server)])["posts"]
    body = server.posts[0].json
    assert (body["kind"], body["request_id"], body["email"], body["models"]) == ("review", "4711", "ada@example.org", ["gpt-4"])
    assert body["purpose"].endswith("sk-*** & more")
    assert body["id"] == post["notice_id"] == server.posts[0].headers["Idempotency-Key"]


def test_a_template_replaces_the_text(hooks: HookFactory) -> None:
    server = hooks()
    own = {"kind": "review", "subject": "Decide {{ request_id }}", "text": "{{ email }} asks, {{ purpose }}"}
    key_webhook([target(server, format="slack")], templates=[own])
    assert server.posts[0].json["text"].startswith("Decide 4711\n\nada@example.org asks, &lt;!channel&gt;")


# --------------------------------------------------------------------------------------------------------- guarantees
def test_a_repeated_notice_has_the_same_id_and_another_has_not(hooks: HookFactory) -> None:
    server = hooks()
    key_webhook([target(server)])
    key_webhook([target(server)], REVIEW, DENIAL)
    first, second, other = (posted.headers["Idempotency-Key"] for posted in server.posts)
    assert first == second != other


def test_a_target_takes_its_kinds_only(hooks: HookFactory) -> None:
    reviewers, everybody = hooks(), hooks()
    result = key_webhook([target(reviewers, kinds=["review"]), target(everybody, name="everybody")], REVIEW, DENIAL)
    assert [(post["target"], post["kind"], post["status"]) for post in result["posts"]] == [
        ("reviewers", "review", "sent"),
        ("everybody", "review", "sent"),
        ("everybody", "denial", "sent"),
    ]
    assert len(reviewers.posts) == 1


@pytest.mark.parametrize("key", [{"value": KEY}, {"link": "https://keys.example.com/open/1#secret"}])
def test_a_key_is_never_posted(hooks: HookFactory, key: dict[str, str]) -> None:
    server = hooks()
    result = key_webhook([target(server)], {"kind": "approval", "to": "ada@example.org", "id": "1", **key}, DENIAL)
    assert [(post["status"], post["temporary"]) for post in result["posts"]] == [("failed", False), ("sent", False)]
    assert "webhooks never carry keys" in result["msg"]
    assert len(server.posts) == 1


def test_a_busy_service_is_asked_again(hooks: HookFactory) -> None:
    server = hooks()
    server.answers[:] = [HookAnswer(429, b"slow", {"Retry-After": "1"}), HookAnswer(hang_up=True), HookAnswer(503)]
    started = time.monotonic()
    (post,) = key_webhook([target(server)])["posts"]
    assert (post["status"], post["attempts"]) == ("sent", 4)
    assert time.monotonic() - started >= 1
    assert len({posted.headers["Idempotency-Key"] for posted in server.posts}) == 1


@pytest.mark.parametrize(
    ("status", "temporary", "posts"),
    [(400, False, 2), (413, False, 2), (422, False, 2), (401, True, 1), (403, True, 1), (404, True, 1), (410, True, 1), (302, True, 1), (500, True, 2)],
)
def test_whether_a_later_try_may_succeed(hooks: HookFactory, status: int, temporary: bool, posts: int) -> None:
    server = hooks()
    server.answers, server.repeats = [HookAnswer(status, f"no_service {PATH}".encode(), {"Location": server.url})], True
    result = key_webhook([target(server)], REVIEW, DENIAL, retries=1)
    assert {(post["status"], post["temporary"], post["code"]) for post in result["posts"]} == {("refused", temporary, status)}
    assert len(server.posts) == posts  # a target that cannot be used is not asked about every notice
    assert f"127.0.0.1 answered {status}" in result["msg"]


def test_a_service_that_is_down_is_given_up_once(hooks: HookFactory) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    down = {"name": "down", "url": f"https://127.0.0.1:{port}{PATH}"}
    result = key_webhook([down, target(hooks())], *({**DENIAL, "id": str(number)} for number in range(20)), retries=2)
    assert [post["attempts"] for post in result["posts"][:20]] == [3] + [0] * 19
    assert result["counts"] == {"sent": 20, "refused": 0, "failed": 20, "planned": 0}
    assert "127.0.0.1 cannot be reached: Connection refused" in result["msg"]


def test_an_answer_that_never_ends(hooks: HookFactory) -> None:
    server = hooks()
    server.answers.append(HookAnswer(body=b"x" * 500, seconds=0.1))
    started = time.monotonic()
    (post,) = key_webhook([target(server)], timeout=1, retries=0)["posts"]
    assert time.monotonic() - started < 10
    assert (post["status"], post["temporary"]) == ("failed", True)
    assert "no answer within 1 s" in post["reason"]


def test_the_certificate_is_checked(hooks: HookFactory) -> None:
    for server, more in ((hooks(certificate="other.example.com"), {}), (hooks(), {"ca_path": None})):
        result = key_webhook([target(server, **more)])
        assert "the certificate of 127.0.0.1 is not accepted" in result["msg"]
        assert server.posts == []


def test_without_notices_no_authority_is_read() -> None:
    assert send_webhooks([WebhookTarget("reviewers", "https://hooks.example.com" + PATH, ca_path="/nowhere.pem")], []) == []


def test_check_mode_posts_nothing(hooks: HookFactory) -> None:
    server = hooks()
    assert key_webhook([target(server)], check=True)["counts"]["planned"] == 1
    assert server.posts == []


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"url": "http://hooks.example.com/hush0123456789"}, "the url of webhook reviewers is an address without encryption"),
        ({"url": "https://user:hush0123456789@hooks.example.com"}, "the url of webhook reviewers is not the https address"),
        ({"url": "hooks.example.com/hush0123456789"}, "is not the https address of a service"),
        ({"name": "https://hooks.example.com"}, "the name of a webhook is"),
        ({"headers": {"Authorization": f"{TOKEN}\r\nX: y"}}, "a header of webhook reviewers"),
        ({"ca_path": "/nowhere.pem"}, "ca_path or REQUESTS_CA_BUNDLE"),
    ],
)
def test_bad_input_is_refused_before_anything_is_posted(hooks: HookFactory, more: dict[str, Any], message: str) -> None:
    server = hooks()
    result = key_webhook([target(hooks()), target(server, **more)])
    assert message in result["msg"]
    assert result["code"] == "bad_input"


def test_nothing_secret_is_logged(hooks: HookFactory, caplog: pytest.LogCaptureFixture) -> None:
    server = hooks(tls=False)
    caplog.set_level(logging.DEBUG)
    server.answers.append(HookAnswer(503))
    (result,) = send_webhooks([WebhookTarget("reviewers", server.url + PATH)], [Notice("denial", "bob@example.org", "9")], retry_delay=0.01)
    assert (result.outcome.status, result.outcome.attempts) == ("sent", 2)
    assert "hush0123456789" not in caplog.text + repr(WebhookTarget("reviewers", server.url + PATH))
