# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Faults in the middle of a pass over the queue of requests: of the gateway, the Kubernetes API, the mail server, the disk, the clock.

All parts are real. No fault may lead to a denial, a second key or a lost request."""

from __future__ import annotations

import json
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.requests.desk import GRANITE, Desk
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible import installation
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import ANSIBLE_ENVIRONMENT, COLLECTION, Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.warm import runner
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.kubernetes.cluster import PASS_RULES, Cluster
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.faulty_proxy import FaultyProxy, Harm
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.smtp import SmtpFactory


def people(desk: Desk, unique: str, count: int = 3, **wish: str) -> dict[str, str]:
    """Submit requests of `count` people, and return them by address."""
    return {email: desk.ask(email, **wish) for email in (f"p{number}-{unique}@company.com" for number in range(count))}


# ----------------------------------------------------------------------------------------------------------- gateway
def test_a_gateway_that_is_down_or_does_not_know_its_models_delays_and_never_denies(desk: Desk, unique: str) -> None:
    ada, dan = f"ada-{unique}@company.com", f"dan-{unique}@company.com"
    ids = {ada: desk.ask(ada), dan: desk.ask(dan, model=GRANITE)}
    run = desk.process(litellm_url="http://127.0.0.1:9", litellm_master_key="sk-nobody-knows-this-key")
    assert run.output.count("failed and is tried again") == 2
    states = {email: (request["state"], request["progress"]["failure"]["step"]) for email, request in desk.requests().items()}
    assert states == {ada: ("approved", "mint"), dan: ("pending", "decide")}, "the models of a package need not be known to decide"

    desk.forget_the_wait()
    with FaultyProxy(desk.gateway.url, Harm("answer", "GET /models", status=200, body={"data": [], "object": "list"}, times=1)) as proxy:
        run = desk.process(litellm_url=proxy.url)
    assert "serves no models at present" in run.output
    assert desk.requests()[dan]["progress"]["failure"]["attempts"] == 2

    desk.forget_the_wait()
    desk.process()
    desk.served(ids)


def test_a_gateway_that_is_slow_answers_500_and_loses_answers_makes_one_key_each(desk: Desk, unique: str) -> None:
    ids = people(desk, unique)
    harms = [
        Harm("delay", "GET .*", seconds=0.5, times=4),
        Harm("lose", "POST /key/generate", times=1),
        Harm("answer", "POST /key/generate", status=500, body={"error": {"message": "boom"}}, skip=1, times=30),
    ]
    with FaultyProxy(desk.gateway.url, *harms) as proxy:
        desk.process(litellm_url=proxy.url)
        assert {request["state"] for request in desk.requests().values()} == {"approved"}
        assert ("approved", "failed") in desk.statuses()
        proxy.harms = [Harm("delay", seconds=0.2)]
        desk.forget_the_wait()
        desk.process(litellm_url=proxy.url)
    desk.served(ids)
    assert desk.statuses() == {("approved", "finished")}


@pytest.mark.parametrize("proof", ["", "none"])
def test_the_key_of_a_request_that_was_taken_back_meanwhile_is_deleted_and_proven_as_asked(desk: Desk, unique: str, proof: str) -> None:
    (request_id,) = people(desk, unique, 1).values()

    def take_back(_answered: bool) -> None:
        desk.module("key_request", state="cancelled", request_id=request_id)

    asked = {"litellm_proof": proof, "litellm_proof_timeout": 30}
    with FaultyProxy(desk.gateway.url, Harm("call", "POST /key/generate", times=1, work=take_back)) as proxy:
        desk.process(litellm_url=proxy.url, **asked)
        (admin,) = {exchange.caller for exchange in proxy.exchanges if exchange.path == "/key/generate"}
        tried_the_key = any(exchange.caller != admin for exchange in proxy.exchanges)
    assert tried_the_key == (proof != "none") and desk.rows(request_id) == []
    desk.process()
    assert desk.statuses() == {("denied", "finished")} and desk.server.mailbox.received == [], "whoever withdrew needs no answer"


# -------------------------------------------------------------------------------------------------------- Kubernetes
@pytest.fixture
def cluster_desk(gateway: Gateway, playbook: Playbooks, smtp: SmtpFactory, tmp_path: Path, kube: Cluster, namespace: str) -> Desk:
    """A desk whose queue is in Kubernetes, with the least rights."""
    account = kube.account_with_rules(namespace, PASS_RULES)
    where = {"key_requests_namespace": namespace, "key_requests_kubeconfig": str(account.kubeconfig)}
    return Desk(gateway, playbook, smtp(tls="starttls"), tmp_path, key_requests_store="kubernetes", **where)


@pytest.mark.parametrize("step", ["while keys are made", "while mails are sent"])
def test_a_kubernetes_api_that_goes_away_midway(cluster_desk: Desk, kube: Cluster, tmp_path: Path, unique: str, step: str) -> None:
    desk = cluster_desk
    ids = people(desk, unique)
    if step == "while keys are made":
        config = json.loads(Path(desk.variables["key_requests_kubeconfig"]).read_text())
        config["users"][0]["user"]["token"] += "x"
        (tmp_path / "expired").write_text(json.dumps(config))
        assert "may have expired" in desk.fail(key_requests_kubeconfig=str(tmp_path / "expired")).output
        assert desk.statuses() == {("pending", "")}, "a token that is no longer valid stops the pass without any change"

    def go_away(_whatever: object) -> None:
        kube.stop_api()

    with FaultyProxy(desk.gateway.url) as proxy:
        if step == "while keys are made":
            proxy.harms = [Harm("call", "POST /key/generate", work=go_away, times=1)]
        else:
            desk.server.mailbox.before_taking = go_away
        try:
            run = desk.fail(litellm_url=proxy.url)
        finally:
            desk.server.mailbox.before_taking = None
            kube.start_api()
        made = {request_id: desk.rows(request_id) for request_id in ids.values()}
    assert "Kubernetes API" in run.output and "does not answer" in run.output
    assert [len(rows) for rows in made.values()] == [1, 1, 1], "the keys were created before the store was lost"
    assert {request["state"] for request in desk.requests().values()} == {"approved"}
    desk.process()
    assert {request_id: desk.rows(request_id) for request_id in ids.values()} == made, "no key was created again"
    desk.served(ids)
    assert desk.statuses() == {("approved", "finished")}


def test_two_passes_at_once_on_kubernetes_make_one_key_each(cluster_desk: Desk, unique: str) -> None:
    desk = cluster_desk
    ids = people(desk, unique, 5)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: desk.process(), range(2)))
    desk.process()
    desk.served(ids)
    assert {state for state, _status in desk.statuses()} == {"approved"}


# ------------------------------------------------------------------------------------------------------------- mails
def test_a_mail_server_that_is_down_for_an_hour_delays_the_same_key_and_a_clock_that_jumped_delays_nothing(desk: Desk, unique: str) -> None:
    ada, eve = f"ada-{unique}@company.com", f"eve-{unique}@evil.com"
    ids = {ada: desk.ask(ada)}
    desk.ask(eve)
    desk.server.stop()
    rows = []
    for attempt, seconds in ((1, 60), (2, 120)):
        desk.process()
        found = desk.requests()
        failures = {email: (request["progress"]["failure"]["step"], request["progress"]["failure"]["attempts"]) for email, request in found.items()}
        assert failures == {ada: ("deliver", attempt), eve: ("mail", attempt)}
        assert wait(found[ada]) == seconds
        rows.append(desk.rows(ids[ada]))
        desk.forget_the_wait()
    desk.server.start()
    desk.forget_the_wait(until="2099-01-01T00:00:00Z")  # as noted by a clock that was years ahead
    desk.process()
    desk.served(ids)
    assert rows == [desk.rows(ids[ada])] * 2
    assert [len(desk.mails(each)) for each in (ada, eve)] == [1, 1]


def wait(request: dict[str, Any]) -> float:
    """Return the seconds between a failure and the next attempt."""
    failed, again = (datetime.fromisoformat(text) for text in (request["updated_at"], request["progress"]["failure"]["next_attempt_at"]))
    return (again - failed).total_seconds()


# -------------------------------------------------------------------------------------------------------------- disk
def test_a_disk_that_is_read_only_or_full_stops_the_pass_before_a_key_is_made(desk: Desk, tmp_path: Path, unique: str) -> None:
    """The queue is in a separate file system that only the passes see."""
    ids = people(desk, unique)
    small, variables = tmp_path / "small", tmp_path / "variables.json"
    small.mkdir()
    with FaultyProxy(desk.gateway.url) as proxy:
        variables.write_text(json.dumps({**desk.variables, "litellm_url": proxy.url, "key_requests_directory": str(small)}))
        one_pass = f"{installation.ANSIBLE_PLAYBOOK} {COLLECTION}.process_requests -e @{variables}; echo ended with $?"
        script = f"""
mount -t tmpfs -o size=64k,mode=700 tmpfs {small} && cp {desk.queue}/*.json {small} || exit 99
mount -o remount,ro {small}; {one_pass}
mount -o remount,rw {small}; dd if=/dev/zero of={small}/filler bs=1k 2>/dev/null; {one_pass}
cat {small}/*.json | grep -c '"state": "pending"'
rm {small}/filler; {one_pass}
cp {small}/*.json {desk.queue}
"""
        command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script]
        done = subprocess.run(command, env={**os.environ, **ANSIBLE_ENVIRONMENT}, capture_output=True, text=True, timeout=120, check=False)
        if "unshare" in done.stderr and "Operation not permitted" in done.stderr:
            pytest.skip("this machine lets no ordinary process mount a file system of its own (user namespaces are off)")
        made = [exchange for exchange in proxy.exchanges if exchange.path == "/key/generate"]
    assert "Read-only file system" in done.stdout, done.stdout + done.stderr
    assert "No space left on device" in done.stdout
    after_first, after_second, after_third = done.stdout.split("ended with ")[1:]
    assert after_first.split()[0] == "2"
    assert after_second.split()[:2] == ["2", "3"], "all three are still pending"
    assert after_third.split()[0] == "0"
    assert len(made) == len(ids), "only the pass that could write created keys"
    desk.served(ids)
    assert desk.statuses() == {("approved", "finished")}


# -------------------------------------------------------------------------------------------------- until stopped
def test_a_pass_every_so_often_until_stopped(desk: Desk, tmp_path: Path, unique: str) -> None:
    stop, variables = tmp_path / "stop", tmp_path / "variables.json"
    variables.write_text(json.dumps({**desk.variables, "key_requests_stop_file": str(stop)}))
    environment = {**os.environ, **ANSIBLE_ENVIRONMENT, "APPROVAL_QUEUE_INTERVAL": "1s"}
    environment |= runner.handing_all_over(environment)
    command = [installation.ANSIBLE_PLAYBOOK, f"{COLLECTION}.process_requests", "-e", f"@{variables}"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as run:
        ids: dict[str, str] = {}
        for name in ("early", "late"):
            email = f"{name}-{unique}@company.com"
            ids[email] = desk.ask(email)
            deadline = time.monotonic() + 60
            while not desk.mails(email):
                assert time.monotonic() < deadline and run.poll() is None, name
                time.sleep(0.2)
        stop.touch()
        output, _nothing = run.communicate(timeout=60)
    assert run.returncode == 0, output
    desk.served(ids)
    wrong = desk.playbook("process_requests", {**desk.variables, "interval": "soon"}, check=False)
    assert "give a whole number and s, m or h" in wrong.output


def test_in_check_mode_it_is_one_pass(playbook: Playbooks, tmp_path: Path) -> None:
    gateway = {"litellm_url": "http://127.0.0.1:9", "litellm_master_key": "sk-nobody-knows-this-key"}
    run = playbook("process_requests", {**gateway, "key_requests_directory": str(tmp_path / "queue"), "interval": "5m"}, "--check")
    assert "0 requests were due" in run.output


# ------------------------------------------------------------------------------------------------------ expiry notices
def test_owners_are_warned_once_before_their_keys_end(desk: Desk, unique: str) -> None:
    """The notice times are so short that no key of another test is due."""
    ids = people(desk, unique, 1)
    (email,) = ids
    short = {"key_requests_packages": {"dev": {"models": [GRANITE], "duration": "9m"}}, "key_requests_expiry_notices": ["10m", "1m"]}
    desk.process(**short)
    desk.act("notices", **short)
    desk.act("notices", **short)
    approval, notice = desk.mails(email)
    assert "sk-" in approval.part("plain")
    assert "sk-" not in notice.part("plain")
    desk.act("notices", **{**short, "key_requests_expiry_notices": ["15m", "9m"]})
    assert len(desk.mails(email)) == 3, "the next notice is due"
