# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""From asking to a delivered key, a reasoned no, or a reviewer: passes over the queue on a real LiteLLM, a real SMTP
server, and both stores; cut off, doubled, and with parts that are down."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gateway_fixtures import ANSIBLE_ENVIRONMENT

GRANITE, MISTRAL, LLAMA = "openai/granite-3-2-8b-instruct", "openai/mistral-7b-instruct", "openai/llama-3-1-8b-instruct"
KEY = re.compile(r"sk-[A-Za-z0-9_-]{43}")
CHAIN = [
    {"name": "blacklist", "config": {"list": ["*llama*"]}},
    {"name": "humanintheloop", "config": {"email": "boss@company.com", "patterns": ["*mistral*"]}},
    {"name": "email", "config": {"pattern": "*@company.com"}},
]


class Desk:
    """A queue of its own, with the chain above, the shared gateway and an SMTP server."""

    def __init__(self, gateway: Any, playbook: Any, server: Any, folder: Path, **store: Any) -> None:
        self.gateway, self.playbook, self.server, self.folder = gateway, playbook, server, folder
        self.variables = {
            **gateway.variables,
            "key_requests_rules": CHAIN,
            "key_requests_packages": {"dev": {"models": [GRANITE], "duration": "30d", "max_budget": 5}},
            "key_delivery_smtp_host": server.host,
            "key_delivery_smtp_port": server.port,
            "key_delivery_smtp_use_tls": server.tls,
            "key_delivery_smtp_ca_path": str(server.ca_path),
            "key_delivery_smtp_retries": 0,
            **(store or {"key_requests_directory": str(folder / "queue")}),
        }

    def ask(self, email: str, **wish: Any) -> str:
        run = self.playbook("request", {**self.variables, "email": email, **(wish or {"package": "dev"})})
        (request_id,) = re.findall(r"Request ([0-9a-f-]{36}) is", run.output)
        return request_id

    def process(self, **variables: Any) -> Any:
        return self.playbook("process_requests", {**self.variables, **variables})

    def act(self, name: str, **variables: Any) -> Any:
        return self.playbook(name, {**self.variables, **variables})

    def requests(self) -> dict[str, dict[str, Any]]:
        """All requests by person, as the playbook `requests` gives them to a program."""
        plain = {"ANSIBLE_STDOUT_CALLBACK": "rhpds.litellm_virtual_keys.plain"}
        run = self.playbook("requests", {**self.variables, "output": "json"}, environment=plain)
        found = json.loads(run.output[run.output.index("{") :])
        return {request["email"]: request for request in found["requests"]}

    def mails(self, address: str) -> list[Any]:
        return list(self.server.mailbox.of(address))

    def key_of(self, address: str) -> str:
        """The one key that all mails to a person hold."""
        (value,) = {value for mail in self.mails(address) for value in KEY.findall(mail.part("plain"))}
        return value

    def rows(self, request_id: str) -> list[dict[str, Any]]:
        return list(self.gateway.keys(f"request-{request_id}"))

    def forget_the_wait(self) -> None:
        """As though the time until the next attempt had passed."""
        for path in (self.folder / "queue").glob("*.json"):
            record = json.loads(path.read_text())
            if record.get("progress", {}).get("failure"):
                record["progress"]["failure"]["next_attempt_at"] = "2026-01-01T00:00:00Z"
                path.write_text(json.dumps(record))


@pytest.fixture
def desk(gateway, playbook, smtp, tmp_path):
    return Desk(gateway, playbook, smtp(tls="starttls"), tmp_path)


def test_from_please_to_a_key_a_no_and_a_reviewer(desk, unique):
    ada, eve, rev, bob = (
        f"{name}-{unique}@{domain}" for name, domain in (("ada", "company.com"), ("eve", "evil.com"), ("rev", "company.com"), ("bob", "company.com"))
    )
    ids = {ada: desk.ask(ada), eve: desk.ask(eve), rev: desk.ask(rev, model=MISTRAL), bob: desk.ask(bob, model=LLAMA)}
    assert desk.ask(ada) == ids[ada]

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
    states = {email: (request["state"], request["progress"]["status"]) for email, request in desk.requests().items()}
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


def test_a_gateway_that_is_down_delays_and_never_denies(desk, unique):
    ada = f"ada-{unique}@company.com"
    request_id = desk.ask(ada)
    run = desk.process(litellm_url="http://127.0.0.1:9", litellm_master_key="sk-nobody")
    assert f"{request_id} failed and is tried again" in run.output
    request = desk.requests()[ada]
    assert (request["state"], request["progress"]["failure"]["step"], request["progress"]["failure"]["attempts"]) == ("approved", "mint", 1)
    desk.process()
    assert not desk.rows(request_id), "it is not due yet"
    desk.forget_the_wait()
    desk.process()
    assert desk.gateway.chat(desk.key_of(ada)).status_code == 200


def test_a_mail_server_that_is_down_delays_the_same_key(desk, unique):
    ada, eve = f"ada-{unique}@company.com", f"eve-{unique}@evil.com"
    request_id = desk.ask(ada)
    desk.ask(eve)
    desk.server.stop()
    desk.process()
    assert {email: request["progress"]["failure"]["step"] for email, request in desk.requests().items()} == {ada: "deliver", eve: "mail"}
    (row,) = desk.rows(request_id)
    desk.server.start()
    desk.forget_the_wait()
    desk.process()
    assert desk.rows(request_id) == [row]
    assert desk.gateway.chat(desk.key_of(ada)).status_code == 200
    assert len(desk.mails(eve)) == 1


def test_a_record_that_was_edited_into_nonsense_is_set_aside_and_the_rest_goes_on(desk, unique):
    ada, bad = f"ada-{unique}@company.com", f"bad-{unique}@company.com"
    desk.ask(ada)
    broken = desk.ask(bad)
    (path,) = (desk.folder / "queue").glob(f"*{broken}*.json")
    path.write_text('{"state": "yes please"')
    run = desk.process()
    assert "is set aside" in run.output
    assert desk.gateway.chat(desk.key_of(ada)).status_code == 200
    assert path.read_text() == '{"state": "yes please"'


def test_one_model_that_the_gateway_does_not_serve_holds_up_nobody_else(desk, unique):
    ada, dan = f"ada-{unique}@company.com", f"dan-{unique}@company.com"
    desk.ask(ada)
    desk.ask(dan, model="openai/gpt-99")
    run = desk.process()
    assert "serves no model named openai/gpt-99" in run.output
    assert desk.gateway.chat(desk.key_of(ada)).status_code == 200


def test_two_passes_at_once_make_one_key_each(desk, unique):
    people = [f"p{number}-{unique}@company.com" for number in range(6)]
    ids = {email: desk.ask(email) for email in people}
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: desk.process(), range(2)))
    desk.forget_the_wait()
    desk.process()
    for email, request_id in ids.items():
        assert len(desk.rows(request_id)) == 1
        assert desk.gateway.chat(desk.key_of(email)).status_code == 200


def test_a_pass_that_is_killed_anywhere_is_finished_by_the_next(desk, unique):
    """kill -9 of the whole pass, ever later, until one gets through."""
    people = [f"k{number}-{unique}@company.com" for number in range(3)]
    ids = {email: desk.ask(email) for email in people}
    variables = desk.folder / "variables.json"
    variables.write_text(json.dumps(desk.variables))
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "rhpds.litellm_virtual_keys.process_requests", "-e", f"@{variables}"]
    cuts = 0
    for tenths in range(5, 300, 4):
        run = subprocess.Popen(command, env={**os.environ, **ANSIBLE_ENVIRONMENT}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            run.wait(tenths / 10)
            break
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
            cuts += 1
    assert cuts >= 3
    desk.forget_the_wait()
    desk.process()
    for email, request_id in ids.items():
        assert len(desk.rows(request_id)) == 1
        assert desk.gateway.chat(desk.key_of(email)).status_code == 200
    assert {request["progress"]["status"] for request in desk.requests().values()} == {"finished"}


def test_on_kubernetes_with_approval_by_kubectl_and_the_least_rights(gateway, playbook, smtp, tmp_path, kube, namespace, unique):
    account = kube.account(namespace, ["get", "list", "create", "patch"])
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
