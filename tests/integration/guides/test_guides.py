# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Run every command of every guide on the real gateway, and compare its output with the guide. Exceptions are listed with a reason.

The commands of a page run one after another in one folder with one environment, as a reader would type them. In place of
"abc12" and "smtp.example.com", the test has its own lab and mail server.
"""

from __future__ import annotations

import datetime
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import durations
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import desk, transitions
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.key import LiveKey
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.guides.pages import GUIDES, Command, File, agrees, blocks, steps
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible import installation
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.agnosticd import write_agnosticd
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.call_module import call_module
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import ANSIBLE_ENVIRONMENT
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.warm import runner
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import MOCK_MODELS, Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.smtp import SmtpFactory

PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(GUIDES.glob("*.rst"))}

# The page, the beginning of the command, and why it is not run here.
NOT_RUN = [
    ("contributing", "make ", "make test is what runs this test, and the gates are run by make lint"),
    ("figures", "make bench", "takes minutes; tests/unit/bench/test_bench.py has its parts"),
    ("threat_model", "make leak-check", "takes minutes; CI runs it"),
    ("models_and_projects", "ansible-playbook rhpds.litellm_virtual_keys.init", "starts a gateway; test_gateway_embedded.py does"),
    ("requests", "kubectl ", "test_request_store_kubernetes.py approves so, on a real Kubernetes API"),
    ("requests", "ansible-playbook rhpds.litellm_virtual_keys.erase_person", "her key lives, and the page says to delete it first; test_erasure.py erases"),
    ("gateway", "ansible-playbook rhpds.litellm_virtual_keys.gateway", "starts a gateway; test_gateway_embedded.py does"),
    ("gateway", "journalctl ", "needs systemd"),
    ("gateway", "systemctl ", "needs systemd; test_gateway_systemd.py has the units"),
    ("gateway", "cd ", "only for what is not run"),
    ("gateway", "python3 gatewayctl ", "would put the shared gateway back; test_gateway_embedded.py does so with its own"),
    ("awx", "cp ", "copies out of an installed collection"),
    ("awx", "cd llm-keys", "pushes to a git server"),
    ("awx", "ansible-builder ", "pulls images"),
    ("awx", "podman ", "pushes to a registry"),
    ("awx", "export ", "only for what is not run"),
    ("awx", "ansible-playbook rhpds.litellm_virtual_keys.awx", "test_awx_catalog.py does, with a server that answers as AWX does"),
    ("moving", "export ", "only for what is not run"),
    ("moving", "ansible-playbook rhpds.litellm_virtual_keys.migrate", "needs a second gateway; test_key_migration.py has one"),
    ("moving", "ansible-playbook rhpds.litellm_virtual_keys.adopt", "needs keys of release 1.3.2; test_key_adoption.py makes some"),
    ("moving", "ansible-playbook rhpds.litellm_virtual_keys.rotate", "goes on with these keys; the page labs runs it"),
    ("events", "pip ", "would change the tools of the test"),
    ("events", "export ", "only for what is not run"),
    ("events", "ansible-rulebook ", "runs until it is stopped; test_events.py does"),
    ("events", "curl ", "test_events.py sends it"),
]

REQUEST = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b")


def reason_not_to_run(page: str, command: str) -> str:
    return next((reason for where, start, reason in NOT_RUN if where == page and command.startswith(start)), "")


def commands(page: str) -> list[Command]:
    return [step for step in steps(PAGES[page]) if isinstance(step, Command)]


class Reader:
    """Types the commands of a page, as its reader would."""

    def __init__(self, gateway: Gateway, unique: str, folder: Path, smtp: SmtpFactory) -> None:
        self.gateway, self.guid, self.folder, self.smtp = gateway, unique, folder, smtp
        self.queue = folder / "state" / "rhpds-litellm-virtual-keys" / "requests"
        self.printed = ""
        today = datetime.datetime.now(datetime.UTC).date()
        self.words = {
            "https://litellm.example.com": gateway.url,
            "http://127.0.0.1:4000": gateway.url,
            "LITELLM_MASTER_KEY=sk-...": f"LITELLM_MASTER_KEY={gateway.master_key}",
            "/var/lib/litellm": str(gateway.dir),
            "abc12": unique,
            "2026-11-01": str(today - datetime.timedelta(days=20)),
            "2026-11-30": str(today),
            "2026-12-01": str(today + datetime.timedelta(days=6)),
        }
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(("LITELLM_", "SMTP_"))}
        self.environment |= {
            **ANSIBLE_ENVIRONMENT,
            "ANSIBLE_STDOUT_CALLBACK": "rhpds.litellm_virtual_keys.plain",
            "XDG_STATE_HOME": str(folder / "state"),
            "LITELLM_BASE_URL": gateway.url,
            "LITELLM_MASTER_KEY": gateway.master_key,
            "PATH": f"{installation.PROGRAMS}{os.pathsep}{os.environ['PATH']}",
        }
        self.environment |= runner.handing_all_over(self.environment)

    def adapted(self, text: str) -> str:
        """Return text of the page with the names and addresses of this test."""
        return re.sub("|".join(map(re.escape, sorted(self.words, key=len, reverse=True))), lambda found: self.words[found[0]], text)

    def follow(self, page: str) -> None:
        """Run the commands of a page. Fails with every difference from the page; a command may fail only if the page shows its output."""
        wrong = []
        for step in steps(PAGES[page]):
            if isinstance(step, File):
                (self.folder / step.name).write_text(self.adapted(step.content))
            elif not reason_not_to_run(page, step.text):
                seen, status = self.type(self.adapted(step.text))
                if not agrees(self.adapted(step.seen), seen) if step.seen else status:
                    wrong.append(f"{page}.rst:{step.line}: $ {step.text}\n--- shows\n{self.adapted(step.seen)}\n--- status {status}, seen\n{seen}")
        assert not wrong, "\n\n".join(wrong)
        assert self.gateway.master_key not in self.printed

    def type(self, command: str) -> tuple[str, int]:
        """Return standard output (of a failure also standard error) and status of a command. Exported variables are kept."""
        if ".request " in command:
            time.sleep(1 - time.time() % 1)  # lists sort requests by the second of their submission; people do not type two in one second
        kept = self.folder / "environment"
        script = f"set -o pipefail\n{command}\nstatus=$?; env -0 > '{kept}'; exit $status"
        done = subprocess.run(
            ["bash", "-c", script], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False
        )
        self.environment = dict(line.split("=", 1) for line in kept.read_text().split("\0") if "=" in line)
        kept.unlink()
        print(f"$ {command}\n{done.stdout}")
        self.printed += done.stdout + done.stderr
        return done.stdout + (done.stderr if done.returncode else ""), done.returncode

    def module(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Call a module, to prepare the gateway or the store."""
        gateway = {"url": self.gateway.url, "api_key": self.gateway.master_key} if name == "virtual_keys" else {}
        result = call_module(name, {**gateway, **arguments}, no_log=True)
        assert not result.get("failed"), result["msg"]
        return result

    def rows(self) -> list[dict[str, Any]]:
        """Return the keys that the page created."""
        mine = {self.guid, *REQUEST.findall(self.printed)}
        return [row for row in self.gateway.keys("") if any(name in row["key_alias"] for name in mine)]


@pytest.fixture
def reader(gateway: Gateway, unique: str, tmp_path: Path, smtp: SmtpFactory) -> Iterator[Reader]:
    reader = Reader(gateway, unique, tmp_path, smtp)
    yield reader
    for row in gateway.get("/v2/model/info", size=1000)["data"]:
        if unique in row["model_name"]:
            gateway.post("/model/delete", id=row["model_info"]["id"])
    gateway.request("DELETE", f"/credentials/{unique}")
    if tokens := [row["token"] for row in reader.rows()]:
        gateway.post("/key/delete", keys=tokens)


# ------------------------------------------------------------------------------------------ what readers already have
def a_lab(reader: Reader) -> None:
    """Create keys of the lab abc12."""
    users = [{"user": f"user{number}"} for number in range(1, 4)]
    reader.module("virtual_keys", guid=reader.guid, keys=users, models=MOCK_MODELS[:1], duration="30d", package="ai-developer")


def a_mail_server(reader: Reader) -> None:
    """Start smtp.example.com, and make the reader's programs trust it."""
    server = reader.smtp(tls="starttls", users={"keys": "kept-secret"})
    reader.words |= {"smtp.example.com": f"{server.host} SMTP_PORT={server.port}", "SMTP_PASSWORD=...": "SMTP_PASSWORD=kept-secret"}
    reader.environment["SSL_CERT_FILE"] = str(server.ca_path)


def a_queue_and_a_config(reader: Reader) -> None:
    """Keep requests in a directory of this test, and write a config.yaml of the LLM Key Requestor."""
    reader.words |= {"$HOME/llm-key-requests": str(reader.queue), "/var/log/llm-requests.jsonl": str(reader.folder / "audit.jsonl")}
    (reader.folder / "config.yaml").write_text("approval_plugins: [{name: email, config: {pattern: '*@example.com'}}]\n")


def a_provider_and_a_project(reader: Reader) -> None:
    """Choose names that no other test uses, and provide the key that set_provider_key would ask for."""
    name = reader.guid
    reader.words |= {
        "provider=openai": f"provider=openai -e credential={name}",
        "key openai": f"key {name}",
        "openai  openai": f"{name}  openai",
        "gpt-4o-mini": f"{name}-mini",
        "gpt-4o": f"{name}-large",
        "My Project": f"My {name}",
        "my-project": f"my-{name}",
    }
    reader.environment["PROVIDER_KEY"] = "sk-of-a-provider"


def a_granted_request_and_a_program(reader: Reader) -> None:
    """Approve a request of Ada's, and write a file with a key and a program that calls a model with it."""
    asked = reader.module("key_request", email="ada@example.com", package="ai-developer", directory=str(reader.queue))["request"]
    reason = "Addresses of example.com get keys."
    reader.module("key_request", state="approved", request_id=asked["request_id"], reason=reason, directory=str(reader.queue))
    store, at = DirectoryStore(str(reader.queue)), desk.now()
    end = durations.iso(durations.parse_time(at) + datetime.timedelta(days=30))
    store.transition(store.get(asked["request_id"]), lambda record: transitions.mark_minted(record, at=at, key_alias="request-of-ada", expires=end))
    made = reader.module("virtual_keys", guid=reader.guid, keys=[{}], models=MOCK_MODELS[:1])["virtual_keys"][0]
    file = {"path": str(reader.folder / "litellm.env"), "value": made["value"], "alias": made["alias"]}
    reader.module("key_env_file", url=reader.gateway.url, files=[file])
    (reader.folder / "my_program.py").write_text(PROGRAM)
    reader.environment["LITELLM_KEY_REQUESTS_DIR"] = str(reader.queue)
    reader.words["Hello from granite!"] = "This is a mock answer of the gateway; no provider was asked."


PROGRAM = f"""import json, os, urllib.request
ask = {{"model": "{MOCK_MODELS[0]}", "messages": [{{"role": "user", "content": "Hello!"}}]}}
headers = {{"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "Content-Type": "application/json"}}
request = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", json.dumps(ask).encode(), headers)
print(json.load(urllib.request.urlopen(request))["choices"][0]["message"]["content"])
"""


def a_chain_and_cases(reader: Reader) -> None:
    """Write the first chain of the page into policy.yml, and its table into cases.csv."""
    page = PAGES["approval_rules"]
    (reader.folder / "policy.yml").write_text("approval_plugins:\n" + blocks(page, "yaml")[0])
    (table,) = [block for block in blocks(page, "text") if block.startswith("# who gets what")]
    (reader.folder / "cases.csv").write_text(table)


def living_labs_and_a_dead_one(reader: Reader) -> None:
    """Create the lab abc12, nine living labs, and one that is not listed as living and is old enough to be taken for dead."""
    a_lab(reader)
    dead = reader.words["old77"] = f"{reader.guid}dead"
    for guid in (dead, *(f"{reader.guid}n{number}" for number in range(9))):
        reader.module("virtual_keys", guid=guid, keys=[{}], models=MOCK_MODELS[:1], duration="30d")
    with psycopg.connect(reader.gateway.database_url, autocommit=True) as database:
        database.execute("UPDATE \"LiteLLM_VerificationToken\" SET created_at = now() - interval '2 days' WHERE key_alias = %s", (f"virtkey-{dead}",))
    living = {LiveKey.from_row(row).guid for row in reader.gateway.keys("virtkey-")} - {dead, None, ""}
    (reader.folder / "live.txt").write_text("".join(f"{guid}\n" for guid in sorted(map(str, living))))


def agnosticd_and_a_catalog(reader: Reader) -> None:
    """Write a stand-in for a checkout of AgnosticD, an AgnosticV repository without an item, and no cluster."""
    write_agnosticd(reader.folder / "agnosticd-v2")
    (reader.folder / "agnosticv" / "labs").mkdir(parents=True)
    reader.words |= {
        "~/.ansible/collections": os.environ["ANSIBLE_COLLECTIONS_PATH"].split(os.pathsep)[0],
        "https://api.cluster.example.com:6443": "https://127.0.0.1:9",
        "/tmp/abc12": str(reader.folder / "output"),
    }


SET_UP: dict[str, list[Callable[[Reader], None]]] = {
    "agnosticd": [agnosticd_and_a_catalog],
    "approval_rules": [a_chain_and_cases],
    "fleet": [living_labs_and_a_dead_one],
    "models_and_projects": [a_provider_and_a_project],
    "requester": [a_granted_request_and_a_program],
    "requests": [a_mail_server, a_queue_and_a_config],
    "threat_model": [a_lab],
    "usage": [a_lab],
}


@pytest.mark.parametrize("page", [page for page in PAGES if any(not reason_not_to_run(page, command.text) for command in commands(page))])
def test_the_commands_of_a_guide_do_what_it_shows(page: str, reader: Reader) -> None:
    for prepare in SET_UP.get(page, []):
        prepare(reader)
    reader.follow(page)


@pytest.mark.parametrize(("page", "start", "reason"), NOT_RUN)
def test_every_command_that_is_not_run_is_in_the_guide(page: str, start: str, reason: str) -> None:
    assert reason and any(command.text.startswith(start) for command in commands(page)), "take it out of NOT_RUN"


def test_the_output_is_compared_with_the_guide() -> None:
    assert agrees("a  b\n...", "a b\nc\nd")
    assert agrees("KEY  ...  1\nTOTAL", "KEY x 1\nTOTAL\n")
    assert not agrees("3 keys", "13 keys")
    assert not agrees("3 keys", "")
