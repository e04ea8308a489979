# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The role key_portal: what it starts and leaves on the machine, from the first start to the removal."""

from __future__ import annotations

import os
import signal
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import PlaybookRun, Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import IN_COLD_RUNS, MOCK_MODELS, Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.processes import is_alive
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.portal import control, eventually
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.smtp import Server, SmtpFactory
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.tls import server_files
from ansible_collections.rhpds.litellm_virtual_keys.tests.tools import workshop

MODEL = MOCK_MODELS[0]
ADDRESS = "ann@example.com"
WAKES_WITHIN = 2.0
"""Seconds in which the worker sees a new request; what it does then takes longer on a busy machine."""


def variables_of(directory: Path) -> dict[str, Any]:
    """Return the variables of a portal for one test alone, and of a gateway that nobody reaches."""
    return {
        "key_portal_dir": str(directory),
        "key_portal_software_dir": str(workshop.cache() / "portal-software"),
        "key_portal_port": 0,
        "key_portal_interval": "1h",
        "gateway": False,
        "litellm_url": "http://127.0.0.1:1",
        "litellm_master_key": "sk-master-0123456789",
    }


@pytest.fixture
def own(tmp_path: Path, gateway: Gateway, smtp: SmtpFactory) -> Iterator[tuple[dict[str, Any], Server]]:
    """The variables of a portal for this test alone, which is stopped afterwards, and its mail server."""
    server = smtp(tls="none")
    directory = tmp_path / "portal"
    yield (
        {
            **variables_of(directory),
            "litellm_url": gateway.url,
            "litellm_master_key": gateway.master_key,
            "key_portal_smtp_host": server.host,
            "key_portal_smtp_port": server.port,
            "key_portal_smtp_use_tls": "none",
            "portal_worker": {"key_requests_rules": [{"name": "allowlist", "config": {"list": [MODEL]}}]},
        },
        server,
    )
    if (directory / "portal.json").exists():
        control(directory, "stop")


class PortalLife:
    """One portal from its first start to its removal. Each step goes on where the one before it ended."""

    def __init__(self, variables: dict[str, Any], server: Server, playbook: Playbooks) -> None:
        self.variables, self.server, self._playbook = variables, server, playbook
        self.directory = Path(variables["key_portal_dir"])
        self.url = ""

    def run(self, *arguments: str, check: bool = True, name: str = "portal", **more: Any) -> PlaybookRun:
        return self._playbook(name, {**self.variables, **more}, *arguments, check=check)

    @property
    def pids(self) -> dict[str, int]:
        found: dict[str, int] = control(self.directory, "status")["pids"]
        return found

    @property
    def admin(self) -> tuple[str, str]:
        return "admin", (self.directory / "secrets" / "admin_password").read_text()

    def starts_as_check_mode_predicts(self) -> None:
        assert self.run("--check").changed > 0 and not self.directory.exists()
        run = self.run("-vvvv", "--diff")
        self.url = control(self.directory, "status")["url"]
        assert f"The portal is at {self.url}." in run.output
        assert "</html>" in requests.get(f"{self.url}/ask", headers={"Accept": "text/html"}, timeout=10).text
        for secret in (self.variables["litellm_master_key"], self.admin[1], (self.directory / "secrets" / "session_secret").read_text()):
            assert len(secret) > 10 and secret not in run.output
        modes = {path: stat.S_IMODE(path.stat().st_mode) for path in self.directory.rglob("*") if "software" not in path.parts and not path.is_symlink()}
        assert {path for path, mode in modes.items() if mode & 0o077} == set()

    def the_portal_has_no_key_of_the_gateway(self) -> None:
        environment = Path(f"/proc/{self.pids['portal']}/environ").read_bytes()
        assert self.variables["litellm_master_key"].encode() not in environment
        assert b"SECRET" in environment and b"LITELLM_API_KEY" not in environment

    def a_second_run_changes_nothing(self) -> None:
        pids = self.pids
        assert (self.run().changed, self.run("--check").changed, self.pids) == (0, 0, pids)

    def a_request_becomes_a_key_within_seconds(self, gateway: Gateway) -> None:
        assert {model["id"] for model in requests.get(f"{self.url}/api/models", timeout=10).json()["models"]} >= set(MOCK_MODELS)
        before = time.monotonic()
        answer = requests.post(f"{self.url}/api/request-key", json={"llm": MODEL, "email": ADDRESS}, timeout=10).json()
        assert answer["success"]
        (mail,) = eventually(lambda: self.server.mailbox.of(ADDRESS))
        assert time.monotonic() - before < 5 + WAKES_WITHIN
        key = next(word for word in mail.part("plain").split() if word.startswith("sk-"))
        assert gateway.chat(key, MODEL).ok

    def a_person_decides_on_what_no_rule_allows(self) -> None:
        answer = requests.post(f"{self.url}/api/request-key", json={"llm": MOCK_MODELS[1], "email": "bob@example.com"}, timeout=10).json()
        call = f"{self.url}/api/admin/requests/{answer['request_id']}"
        eventually(lambda: requests.get(call, auth=self.admin, timeout=10).json()["state"] == "denied")
        before = time.monotonic()
        assert requests.post(f"{call}/approve", auth=self.admin, timeout=10).json()["success"]
        eventually(lambda: [mail for mail in self.server.mailbox.of("bob@example.com") if "sk-" in mail.part("plain")])
        assert time.monotonic() - before < 5 + WAKES_WITHIN, "from the approval to the mail, although the next pass is an hour away"

    def pages_show_what_the_worker_finds_out(self) -> None:
        """The worker wakes up for whoever looks, although its next pass is an hour away."""
        answer = requests.post(f"{self.url}/api/request-key", json={"llm": MOCK_MODELS[1], "email": "carol@example.com"}, timeout=10).json()
        denied = answer["request_id"]
        eventually(lambda: self.record(denied)["state"] == "denied")
        page = requests.get(f"{self.url}/api/admin/requests?filter=all", auth=self.admin, timeout=10).json()
        (living,) = [each["request_id"] for each in page if each["email"] == ADDRESS]
        for request_id, words in ((denied, "They would deny the request"), (living, "of $10 spent"), (living, "End at the gateway: ")):
            before = time.monotonic()
            eventually(lambda request_id=request_id, words=words: words in self.page(f"/admin/{request_id}"))
            assert time.monotonic() - before < 5 + WAKES_WITHIN

    def record(self, request_id: str) -> Any:
        return requests.get(f"{self.url}/api/admin/requests/{request_id}", auth=self.admin, timeout=10).json()

    def page(self, path: str) -> str:
        return requests.get(f"{self.url}{path}", auth=self.admin, headers={"Accept": "text/html"}, timeout=10).text

    def another_chain_restarts_the_worker_alone(self) -> None:
        pids = self.pids
        self.variables["portal_worker"]["key_requests_rules"] = [{"name": "allowlist", "config": {"list": ["*"]}}]
        assert self.run("--check").changed > 0 and self.pids == pids
        assert self.run().changed > 0
        assert self.pids["portal"] == pids["portal"] and self.pids["worker"] != pids["worker"] and not is_alive(pids["worker"])

    def a_certificate_that_does_not_fit_is_refused_before_anything_is_changed(self, tls: Path) -> None:
        pids = self.pids
        files = {"key_portal_tls_certificate_file": str(tls / "server.crt"), "key_portal_tls_key_file": str(tls / "other.key")}
        for arguments in ((), ("--check",)):
            run = self.run(*arguments, check=False, **files)
            assert (run.changed, self.pids) == (0, pids) and "does not belong to the first certificate" in run.output
        run = self.run(check=False, key_portal_tls_certificate_file=str(tls / "missing.crt"), key_portal_tls_key_file=str(tls / "server.key"))
        assert (run.changed, self.pids) == (0, pids) and f"key_portal_tls_certificate_file is '{tls}/missing.crt', which cannot be read" in run.output
        run = self.run(check=False, key_portal_tls_key_file=str(tls / "server.key"))
        assert (run.changed, self.pids) == (0, pids) and "Only one of key_portal_tls_certificate_file and key_portal_tls_key_file is set" in run.output

    def serves_https_with_a_certificate_and_http_without(self, tls: Path) -> None:
        pids = self.pids
        files = {"key_portal_tls_certificate_file": str(tls / "server.crt"), "key_portal_tls_key_file": str(tls / "server.key")}
        run = self.run("-vvvv", "--diff", **files)
        url = control(self.directory, "status")["url"]
        assert url == self.url.replace("http:", "https:") and f"The portal is at {url}." in run.output
        answer = requests.get(f"{url}/sign-in", headers={"Accept": "text/html"}, timeout=10, verify=str(tls / "ca.crt"))
        cookies = [cookie for cookie in answer.headers["Set-Cookie"].split(", ") if cookie.startswith("__Host-")]
        assert cookies and all("Secure" in cookie for cookie in cookies) and "Strict-Transport-Security" in answer.headers
        assert (tls / "server.key").read_text().splitlines()[1] not in run.output
        assert self.run("--check", **files).changed == 0 and self.pids["worker"] == pids["worker"]
        assert self.run().changed > 0 and requests.get(f"{self.url}/api/models", timeout=10).ok

    def another_config_restarts_what_reads_it(self, folder: Path) -> None:
        config = folder / "config.yaml"
        seen = []
        for title in ("One", "Two"):
            config.write_text(f"litellm: {{api_key: sk-of-the-config, enable_litellm_models: false}}\nmodels: [{{id: granite, title: {title}}}]\n")
            run = self.run("-vvvv", "--diff", key_portal_config_file=str(config))
            assert "sk-of-the-config" not in run.output
            seen.append([model["title"] for model in requests.get(f"{self.url}/api/models", timeout=10).json()["models"]])
        assert seen == [["One"], ["Two"]]
        assert "sk-of-the-config" not in (self.directory / "config.yaml").read_text()
        assert self.run(key_portal_config_file=str(config)).changed == 0
        self.run()
        assert not (self.directory / "config.yaml").exists() and not (self.directory / "secrets" / "config.yaml").exists()

    def a_port_that_is_in_use_is_named_and_the_portal_goes_on(self) -> None:
        pids = self.pids
        with socket.create_server(("127.0.0.1", 0)) as other:
            run = self.run(check=False, key_portal_port=other.getsockname()[1])
        assert "set key_portal_port to another port" in run.output and self.pids == pids
        assert requests.get(f"{self.url}/api/models", timeout=10).ok

    def comes_back_after_both_were_killed(self) -> None:
        for pid in self.pids.values():
            os.kill(pid, signal.SIGKILL)
        assert self.run().changed > 0
        assert len(requests.get(f"{self.url}/api/admin/requests?filter=all", auth=self.admin, timeout=10).json()) == 3

    def stops_twice_and_starts_again(self) -> None:
        pids = self.pids
        assert self.run(name="portal_stop", gateway=False).changed > 0
        assert not any(is_alive(pid) for pid in pids.values())
        assert self.run(name="portal_stop", gateway=False).changed == 0
        self.run()
        assert control(self.directory, "status")["url"] == self.url, "people know its address"

    def absent_needs_consent_and_deletes_only_what_the_role_made(self) -> None:
        remove = {"key_portal_state": "absent"}
        refused = self.run(check=False, **remove)
        assert "key_portal_delete_data=true" in refused.output and is_alive(self.pids["portal"])
        (self.directory / "mine.txt").write_text("not the role's")
        pids = self.pids
        assert self.run(**remove, key_portal_delete_data=True).changed > 0
        assert not any(is_alive(pid) for pid in pids.values())
        assert [path.name for path in self.directory.iterdir()] == ["mine.txt"]
        assert self.run(**remove, key_portal_delete_data=True).changed == 0


@pytest.fixture
def tls(tmp_path: Path) -> Path:
    return server_files(tmp_path)


def test_its_whole_life(own: tuple[dict[str, Any], Server], playbook: Playbooks, gateway: Gateway, tls: Path, tmp_path: Path) -> None:
    life = PortalLife(*own, playbook)
    life.starts_as_check_mode_predicts()
    life.the_portal_has_no_key_of_the_gateway()
    life.a_second_run_changes_nothing()
    life.a_request_becomes_a_key_within_seconds(gateway)
    life.a_person_decides_on_what_no_rule_allows()
    life.pages_show_what_the_worker_finds_out()
    life.another_chain_restarts_the_worker_alone()
    life.a_certificate_that_does_not_fit_is_refused_before_anything_is_changed(tls)
    life.serves_https_with_a_certificate_and_http_without(tls)
    life.another_config_restarts_what_reads_it(tmp_path)
    life.a_port_that_is_in_use_is_named_and_the_portal_goes_on()
    life.comes_back_after_both_were_killed()
    life.stops_twice_and_starts_again()
    life.absent_needs_consent_and_deletes_only_what_the_role_made()


def test_the_error_of_a_start_names_the_cause_without_a_secret(own: tuple[dict[str, Any], Server], playbook: Playbooks) -> None:
    variables, _server = own
    run = playbook(
        "portal",
        {**variables, "key_portal_host": "0.0.0.0", "key_portal_public_url": "https://k.example.com", "key_portal_admin_password": "change-me-in-production"},
        check=False,
    )
    assert "the administrator's password is the one in the documentation" in run.output and "ended with status 1 while starting" in run.output
    assert variables["litellm_master_key"] not in run.output


ORDERS = ("started", "started", "stopped", "stopped", "absent", "absent", "started", "absent", "stopped", "started")
"""Each state after each other one, and after itself."""


@IN_COLD_RUNS  # the whole life has each state twice, and most of these orders
def test_every_order_of_two_states(own: tuple[dict[str, Any], Server], playbook: Playbooks) -> None:
    variables, _server = own
    directory = Path(variables["key_portal_dir"])
    pids: dict[str, int] = {}
    before = "absent"
    for state in ORDERS:
        run = playbook("portal", {**variables, "key_portal_state": state, "key_portal_delete_data": True})
        assert (run.changed > 0) == (state != before and (before, state) != ("absent", "stopped")), f"{before}, {state}: {run.output[-2000:]}"
        alive = [pid for pid in pids.values() if is_alive(pid)]
        if state == "started":
            pids = control(directory, "status")["pids"]
            assert all(pids.values())
        else:
            assert alive == [] and directory.exists() == (state == "stopped" and before != "absent")
        before = "absent" if not directory.exists() else state


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"key_portal_port": "eighty"}, "key_portal_port"),
        ({"key_portal_start_timeout": "long"}, "key_portal_start_timeout"),
        ({"key_portal_dir": "portal"}, "must be absolute paths"),
        ({"key_portal_config_file": "/nowhere/config.yaml"}, "/nowhere/config.yaml cannot be read"),
        ({"key_portal_identity": ["oauth"]}, "value of key_portal_identity must be one or more of: basic, link, oidc, proxy"),
        ({"key_portal_interval": "sometimes"}, "The interval is 'sometimes'"),
        ({"key_portal_environment": "topsecret-value"}, "key_portal_environment"),
        ({"key_portal_smtp_host": "mail.example.com", "key_portal_smtp_password": "topsecret-value"}, "only one of user and password"),
        ({"key_portal_sealed_delivery": True}, "set key_portal_public_url"),
        ({"key_portal_sealed_delivry": True}, "there is no such variable; correct it to key_portal_sealed_delivery"),
        ({"litellm_url": ""}, "No gateway is named, or not its key: set litellm_url"),
        ({"litellm_master_key": ""}, "No gateway is named, or not its key: set litellm_url"),
    ],
)
def test_wrong_input_is_named_before_anything_is_changed(tmp_path: Path, playbook: Playbooks, more: dict[str, Any], said: str) -> None:
    variables = variables_of(tmp_path / "portal")
    run = playbook("portal", {**variables, **more}, "-vvvv", check=False)
    assert run.returncode != 0 and said in " ".join(run.output.split()), run.output[-3000:]
    assert run.changed == 0 and not Path(variables["key_portal_dir"]).exists()
    for secret in ("topsecret-value", variables["litellm_master_key"]):
        assert secret not in run.output


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a directory of another user")
def test_the_directory_of_another_user_is_left_alone(tmp_path: Path, playbook: Playbooks) -> None:
    variables = variables_of(tmp_path / "portal")
    directory = Path(variables["key_portal_dir"])
    directory.mkdir(mode=0o755)
    os.chown(directory, 4242, 4242)
    run = playbook("portal", variables, check=False)
    assert "is not a directory of root, as whom the role runs" in " ".join(run.output.split())
    assert (run.changed, stat.S_IMODE(directory.stat().st_mode), list(directory.iterdir())) == (0, 0o755, [])
