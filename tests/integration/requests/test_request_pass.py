# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Passes over the queue, from a request to a delivered key, a denial or a review, on a real LiteLLM, a real SMTP server and
both stores: also killed passes, simultaneous passes, and services that are down."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.requests.desk import GRANITE, LLAMA, MISTRAL, Desk
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.kubernetes.cluster import PASS_RULES


def test_requests_end_in_a_key_a_denial_or_a_review(desk, unique):
    ada, eve, rev, bob = (
        f"{name}-{unique}@{domain}" for name, domain in (("ada", "company.com"), ("eve", "evil.com"), ("rev", "company.com"), ("bob", "company.com"))
    )
    ids = {ada: desk.ask(ada), eve: desk.ask(eve), rev: desk.ask(rev, model=MISTRAL), bob: desk.ask(bob, model=LLAMA)}
    assert f"Request {ids[ada]} is pending" in desk.act("request", email=ada, package="dev").output

    desk.process()
    value = desk.key_of(ada)
    assert desk.gateway.chat(value, GRANITE).status_code == 200
    assert desk.gateway.chat(value, MISTRAL).status_code == 403
    (row,) = desk.rows(ids[ada])
    assert (row["user_id"], row["max_budget"]) == (ada, 5.0)
    assert "e-mail address" in desk.mails(eve)[0].part("plain")
    assert len(desk.mails(bob)) == 1
    assert not desk.rows(ids[eve]) and not desk.rows(ids[bob]) and not desk.rows(ids[rev])
    assert not desk.mails(rev)
    assert len(desk.mails("boss@company.com")) == 1

    desk.process()
    assert [len(desk.mails(each)) for each in (ada, eve, bob, "boss@company.com")] == [1, 1, 1, 1]

    desk.act("approve", request_id=ids[rev], duration="2d")
    desk.process()
    assert desk.gateway.chat(desk.key_of(rev), MISTRAL).status_code == 200
    plain = {"ANSIBLE_STDOUT_CALLBACK": "rhpds.litellm_virtual_keys.plain"}
    shown = desk.playbook("requests", {**desk.variables, "output": "json"}, environment=plain).output
    found = json.loads(shown[shown.index("{") :])
    states = {request["email"]: (request["state"], request["progress"]["status"]) for request in found["requests"]}
    assert states == {ada: ("approved", "finished"), eve: ("denied", "finished"), rev: ("approved", "finished"), bob: ("denied", "finished")}


def test_a_person_who_asks_again_after_the_key_was_revoked_gets_another_value(desk, unique):
    ada = f"ada-{unique}@company.com"
    request_id = desk.ask(ada)
    desk.process()
    first = desk.key_of(ada)
    desk.gateway.post("/key/delete", keys=[row["token"] for row in desk.rows(request_id)])
    desk.act("notices")
    time.sleep(1.1)  # the time of submission is part of the alias
    assert desk.ask(ada) == request_id
    desk.server.mailbox.received.clear()
    desk.process()
    second = desk.key_of(ada)
    assert second != first
    assert (desk.gateway.chat(first).status_code, desk.gateway.chat(second).status_code) == (401, 200)


def test_a_record_that_was_edited_into_nonsense_is_set_aside_and_the_rest_continues(desk, unique):
    ada, bad = f"ada-{unique}@company.com", f"bad-{unique}@company.com"
    desk.ask(ada)
    broken = desk.ask(bad)
    (path,) = (desk.folder / "queue").glob(f"*{broken}*.json")
    path.write_text('{"state": "yes please"')
    run = desk.process()
    assert "is set aside" in run.output
    assert desk.gateway.chat(desk.key_of(ada)).status_code == 200
    assert path.read_text() == '{"state": "yes please"'


def test_a_model_that_the_gateway_does_not_serve_is_denied_and_delays_no_other_request(desk, unique):
    ada, dan = f"ada-{unique}@company.com", f"dan-{unique}@company.com"
    ids = {ada: desk.ask(ada)}
    desk.ask(dan, model="openai/granite-3-2-9b-instruct")
    desk.process()
    desk.served(ids)
    assert desk.statuses() == {("approved", "finished"), ("denied", "finished")}
    (mail,) = desk.mails(dan)
    assert f"serves no model named openai/granite-3-2-9b-instruct; its closest names are {GRANITE}" in " ".join(mail.part("plain").split())
    run = desk.act("request", email=dan, model="openai/granite-3-2-9b-instruct", again=True)
    assert "is pending" in run.output, "for when it is served"


def test_two_passes_at_once_make_one_key_each(desk, unique):
    ids = {email: desk.ask(email) for email in (f"p{number}-{unique}@company.com" for number in range(6))}
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: desk.process(), range(2)))
    desk.forget_the_wait()
    desk.process()
    desk.served(ids)


def test_on_kubernetes_with_approval_by_kubectl_and_the_least_rights(gateway, playbook, smtp, tmp_path, kube, namespace, unique):
    account = kube.account_with_rules(namespace, PASS_RULES)
    desk = Desk(
        gateway,
        playbook,
        smtp(tls="starttls"),
        tmp_path,
        key_requests_store="kubernetes",
        key_requests_namespace=namespace,
        key_requests_kubeconfig=str(account.kubeconfig),
    )
    rev = f"rev-{unique}@company.com"
    request_id = desk.ask(rev, model=MISTRAL)
    desk.process()
    assert not desk.rows(request_id)
    for change in (("label", "request-state=approved"), ("annotate", "state=approved")):
        kube.kubectl(change[0], "secret", f"llm-key-request-{request_id}", change[1], "--overwrite", namespace=namespace)
    desk.process()
    value = desk.key_of(rev)
    assert desk.gateway.chat(value, MISTRAL).status_code == 200
    assert value not in kube.kubectl("get", "secrets", "-o", "yaml", namespace=namespace)


def test_nothing_secret_is_printed_and_the_store_holds_no_key(desk, unique):
    ada = f"ada-{unique}@company.com"
    desk.ask(ada)
    run = desk.playbook("process_requests", desk.variables, "-vvv", "--diff")
    value = desk.key_of(ada)
    for text in (run.output, *(path.read_text() for path in (desk.folder / "queue").glob("*.json"))):
        assert value not in text
        assert desk.gateway.master_key not in text
