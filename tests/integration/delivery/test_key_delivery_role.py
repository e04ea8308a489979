# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The role key_delivery: a real Kubernetes API, a real mail server, real files, a real LiteLLM."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.call_module import call_module
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import PlaybookRun, Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.kubernetes.cluster import Account, Cluster
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import MOCK_MODELS, Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.smtp import Server, SmtpFactory

URL = "https://llm.example.com"
TEMPLATE = Path(__file__).parents[3] / "roles" / "key_delivery" / "templates" / "rbac.yaml.j2"

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")

PLAY = """
- hosts: localhost
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  tasks:
    - ansible.builtin.slurp:
        src: "{{ input_file }}"
      register: input
      check_mode: false
      no_log: true
    - ansible.builtin.include_role:
        name: rhpds.litellm_virtual_keys.key_delivery
        tasks_from: "{{ tasks_from | default('main') }}"
      vars:
        key_delivery_keys: "{{ (input.content | b64decode | from_json)['keys'] }}"
        key_delivery_mail_messages: "{{ (input.content | b64decode | from_json).messages }}"
    - ansible.builtin.copy:
        content: "{{ key_delivery_results | to_json }}"
        dest: "{{ results_file }}"
        mode: "0600"
      check_mode: false
      when: key_delivery_results is defined
"""


def key(user: str, alias: str | None = None, **more: Any) -> dict[str, Any]:
    """Return a key as virtual_keys returns it."""
    name = alias or f"virtkey-abc12-{user}"
    value = derive.value("a secret for the delivery tests", name)
    return {
        "alias": name,
        "user": user,
        "email": f"{user}@example.org",
        "value": value,
        "key_id": derive.token(value),
        "models": ["granite", "mistral"],
        "expires": "2026-12-31T18:00:00Z",
        "action": "created",
        "recoverable": True,
        **more,
    }


class Delivery:
    """Runs the role and keeps its results. Keys and messages are untrusted data, like the results of modules."""

    def __init__(self, playbook: Playbooks, directory: Path) -> None:
        self.playbook, self.directory = playbook, directory
        self.play = directory / "play.yml"
        self.play.write_text(PLAY, encoding="utf-8")
        self.results: list[dict[str, Any]] = []

    def __call__(
        self,
        keys: list[dict[str, Any]],
        *methods: str,
        messages: list[dict[str, Any]] | None = None,
        check: bool = True,
        arguments: tuple[str, ...] = (),
        **more: Any,
    ) -> PlaybookRun:
        results = self.directory / "results.json"
        results.unlink(missing_ok=True)
        given = self.directory / "input.json"
        given.write_text(json.dumps({"keys": keys, "messages": messages or []}), encoding="utf-8")
        variables = {
            "input_file": str(given),
            "key_delivery_methods": list(methods),
            "key_delivery_gateway_url": URL,
            "key_delivery_fail": False,
            "results_file": str(results),
            **more,
        }
        run = self.playbook(self.play, variables, "-vvv", *arguments, check=check, environment={"KUBECONFIG": "/nowhere", "SMTP_HOST": "smtp.invalid"})
        self.results = json.loads(results.read_text(encoding="utf-8")) if results.exists() else []
        for each in keys:
            value = str(each.get("value") or "no value")
            assert value not in run.output
            assert base64.b64encode(value.encode()).decode() not in run.output
            assert value not in json.dumps(self.results)
        return run

    def field(self, name: str = "status") -> dict[tuple[str, str], Any]:
        """Return one field of each result, by user and method."""
        return {(each["user"] or each["alias"], each["method"]): each[name] for each in self.results}


@pytest.fixture
def deliver(playbook: Playbooks, tmp_path: Path) -> Delivery:
    return Delivery(playbook, tmp_path)


def mail_settings(server: Server) -> dict[str, Any]:
    return {f"key_delivery_smtp_{name}": value for name, value in server.options.items()} | {"key_delivery_smtp_from": "keys@example.com"}


def sourced(file: Path, *names: str) -> list[str]:
    script = '. "$0"; for name; do eval "printf \'%s\\n\' \\"\\$$name\\""; done'
    return subprocess.run(["sh", "-c", script, str(file), *names], check=True, capture_output=True, text=True, env={}).stdout.splitlines()


# ---------------------------------------------------------------------------------------------------------- env_file
def test_files_are_private_from_the_first_moment_and_a_second_run_changes_nothing(deliver: Delivery, tmp_path: Path) -> None:
    keys = [key("user1"), key("user2"), key("", alias="virtkey-abc12")]
    shared = tmp_path / "litellm.env"
    deliver(keys, "env_file", key_delivery_env_file=str(shared))
    assert set(deliver.field().values()) == {"delivered"}
    assert set(deliver.field("changed").values()) == {True}
    files = [tmp_path / "litellm-user1.env", tmp_path / "litellm-user2.env", shared]
    assert [sourced(file, "OPENAI_API_KEY", "OPENAI_BASE_URL") for file in files] == [[each["value"], f"{URL}/v1"] for each in keys]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    deliver(keys, "env_file", key_delivery_env_file=str(shared))
    assert set(deliver.field("changed").values()) == {False}


WITNESS = """
import os
os_rename, os_replace, os_chmod = os.rename, os.replace, os.chmod

def report(path, mode, source):
    if str(os.fsdecode(path)).endswith(".env") and os.stat(source).st_size > 100:
        with open(os.environ["WITNESS"], "a") as file:
            print(oct(mode & 0o777), file=file)

def rename(source, path, **more):
    report(path, os.stat(source).st_mode, source)
    return os_rename(source, path, **more)

def replace(source, path, **more):
    report(path, os.stat(source).st_mode, source)
    return os_replace(source, path, **more)

def chmod(path, mode, **more):
    if not isinstance(path, int):
        report(path, mode, path)
    return os_chmod(path, mode, **more)

os.rename, os.replace, os.chmod = rename, replace, chmod
"""


def test_a_file_is_never_readable_by_others(deliver: Delivery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every Python process reports the mode of each file that receives a key: a new file, and one that everybody could read before."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(WITNESS, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'site'}:{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setenv("WITNESS", str(tmp_path / "modes"))
    old = tmp_path / "litellm.env"
    old.write_text("# from before\n", encoding="utf-8")
    old.chmod(0o644)
    deliver([key("", alias="virtkey-abc12"), key("user1")], "env_file", key_delivery_env_file=str(old))
    modes = (tmp_path / "modes").read_text(encoding="utf-8").split()
    assert len(modes) >= 2
    assert set(modes) == {"0o600"}


def test_the_seeds_file_name(deliver: Delivery, tmp_path: Path) -> None:
    file = tmp_path / "llamakey_local.env"
    deliver([key("", alias="virtkey-abc12")], "env_file", key_delivery_env_file=str(file), key_delivery_vendors=["openai"])
    assert file.read_text(encoding="utf-8").count("export ") == 2


def test_a_file_that_cannot_be_written_does_not_stop_the_others(deliver: Delivery, tmp_path: Path) -> None:
    keys = [key("user1", env_file=str(tmp_path / "no" / "such" / "folder" / "x.env")), key("user2", env_file=str(tmp_path / "y.env"))]
    deliver(keys, "env_file")
    assert deliver.field() == {("user1", "env_file"): "failed", ("user2", "env_file"): "delivered"}
    assert "does not exist" in deliver.field("reason")[("user1", "env_file")]
    assert sourced(tmp_path / "y.env", "OPENAI_API_KEY") == [keys[1]["value"]]


def test_files_are_removed(deliver: Delivery, tmp_path: Path) -> None:
    keys, more = [key("user1"), key("user2")], {"key_delivery_env_file": str(tmp_path / "litellm.env")}
    deliver(keys, "env_file", **more)
    gone = [{**each, "action": "deleted", "value": None} for each in keys]
    deliver(gone, "env_file", "mail", "agnosticd", key_delivery_state="absent", **more)
    assert deliver.field() == {("user1", "env_file"): "removed", ("user2", "env_file"): "removed"}
    assert not list(tmp_path.glob("*.env"))


def test_check_mode_writes_nothing(deliver: Delivery, smtp: SmtpFactory, tmp_path: Path) -> None:
    server = smtp()
    deliver([key("user1")], "env_file", "mail", arguments=("--check",), key_delivery_env_file=str(tmp_path / "x.env"), **mail_settings(server))
    assert set(deliver.field().values()) == {"planned"}
    assert not list(tmp_path.glob("*.env"))
    assert server.mailbox.connections == 0


# -------------------------------------------------------------------------------------------------------------- mail
def test_each_person_gets_their_own_key_and_one_refusal_does_not_stop_the_others(deliver: Delivery, smtp: SmtpFactory) -> None:
    server = smtp(users={"keys": "secret words"})
    server.mailbox.refused["user2@example.org"] = "550 no such user"
    keys = [key("user1"), key("user2"), key("user3", language="de"), key("user4", email="not an address")]
    login = {"key_delivery_smtp_user": "keys", "key_delivery_smtp_password": "secret words"}
    denial = {"kind": "denial", "to": "eve@example.org", "id": "r9", "request_id": "r9", "reason": "{{ 7 * 7 }} <b>no</b>"}
    run = deliver(keys, "mail", **mail_settings(server), **login, messages=[denial])
    assert deliver.field() == {
        ("user1", "mail"): "delivered",
        ("user2", "mail"): "failed",
        ("user3", "mail"): "delivered",
        ("user4", "mail"): "failed",
        ("", "mail"): "delivered",
    }
    assert deliver.field("reason")[("user2", "mail")] == "the server answered 550 no such user"
    assert "not an address" in deliver.field("reason")[("user4", "mail")]
    assert [each["kind"] for each in deliver.results] == ["approval"] * 4 + ["denial"]
    assert deliver.results[-1]["request_id"] == "r9"
    for each in (keys[0], keys[2]):
        (mail,) = server.mailbox.of(each["email"])
        held = mail.part("plain") + mail.part("html")
        assert [other["user"] for other in keys if other["value"] in held] == [each["user"]]
    assert "Guten Tag" in server.mailbox.of("user3@example.org")[0].part("plain")
    assert "2026-12-31 18:00 UTC" in server.mailbox.of("user1@example.org")[0].part("plain")
    assert "> {{ 7 * 7 }} <b>no</b>" in server.mailbox.of("eve@example.org")[0].part("plain")
    assert server.mailbox.connections == 1
    assert "secret words" not in run.output


def test_a_mail_without_the_key(deliver: Delivery, smtp: SmtpFactory) -> None:
    server = smtp()
    pointing = {"key_delivery_mail_include_value": False, "key_delivery_mail_note": "It is in a Secret of your namespace."}
    deliver([key("user1")], "mail", **mail_settings(server), **pointing)
    (mail,) = server.mailbox.received
    assert "It is in a Secret of your namespace." in mail.part("plain")
    assert "sk-" not in mail.part("plain") + mail.part("html")


def test_mail_settings_come_from_the_environment_where_the_role_has_none(deliver: Delivery, smtp: SmtpFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    server = smtp(certificate="expired")
    monkeypatch.setenv("SMTP_PORT", str(server.port))
    monkeypatch.setenv("SMTP_USE_TLS", "false")
    monkeypatch.setenv("SMTP_START_TLS", "true")
    monkeypatch.setenv("SMTP_FROM", "Schlüsseldienst <keys@example.com>")
    deliver([key("user1")], "mail", key_delivery_smtp_host="localhost", key_delivery_smtp_validate_certs=False)
    (mail,) = server.mailbox.received
    assert (mail.encrypted, mail.message["From"]) == (True, "Schlüsseldienst <keys@example.com>")


def test_people_are_shown_the_address_of_litellm_gateway_url(playbook: Playbooks, smtp: SmtpFactory, tmp_path: Path) -> None:
    server, file = smtp(), tmp_path / "litellm.env"
    include = {"ansible.builtin.include_role": {"name": "rhpds.litellm_virtual_keys.key_delivery"}}
    play = tmp_path / "play.yml"
    play.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": [include]}]))
    settings = {"key_delivery_keys": [key("user1")], "key_delivery_methods": ["mail", "env_file"], "key_delivery_env_file": str(file)}
    environment = {"LITELLM_BASE_URL": "http://127.0.0.1:4000", "LITELLM_GATEWAY_URL": "https://llm.example.com"}
    playbook(play, {**settings, **mail_settings(server), "litellm_url": "http://litellm:4000"}, environment=environment)
    (mail,) = server.mailbox.received
    assert "https://llm.example.com/v1" in mail.part("plain")
    assert sourced(tmp_path / "litellm-user1.env", "OPENAI_BASE_URL") == ["https://llm.example.com/v1"]


def test_a_rotated_key_makes_another_mail_and_the_same_key_does_not(deliver: Delivery, smtp: SmtpFactory) -> None:
    server = smtp()
    rotated = key("user1", value=derive.value("a secret for the delivery tests", "virtkey-abc12-user1", 1))
    for each in (key("user1"), key("user1"), rotated):
        deliver([each], "mail", **mail_settings(server))
    first, second, third = (mail.message["Message-ID"] for mail in server.mailbox.received)
    assert first == second != third


# ------------------------------------------------------------------------------------------------- kubernetes_secret
RIGHTS: list[str] = yaml.safe_load(TEMPLATE.read_text(encoding="utf-8").partition("rules:")[2].partition("---")[0])[0]["verbs"]


@pytest.fixture
def to_kubernetes(kube: Cluster, namespace: str) -> Callable[..., dict[str, Any]]:
    """Return the role's variables for a service account with the documented rights, or fewer."""

    def settings(account: Account | None = None) -> dict[str, Any]:
        who = account or kube.account(namespace, RIGHTS)
        return {"key_delivery_kubernetes_namespace": namespace, "key_delivery_kubernetes_connection": {"kubeconfig": str(who.kubeconfig)}}

    return settings


def secret(kube: Cluster, namespace: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = kube.call("GET", f"/api/v1/namespaces/{namespace}/secrets/{name}")
    return found


def names(kube: Cluster, namespace: str) -> set[str]:
    return {each["metadata"]["name"] for each in kube.call("GET", f"/api/v1/namespaces/{namespace}/secrets")["items"]}


def test_the_documented_rights_suffice_to_create_change_and_remove_secrets(
    deliver: Delivery, kube: Cluster, namespace: str, to_kubernetes: Callable[..., dict[str, Any]]
) -> None:
    keys, account = [key("user1"), key("user2")], to_kubernetes()
    deliver(keys, "kubernetes_secret", **account)
    assert set(deliver.field().values()) == {"delivered"}
    one = secret(kube, namespace, "llm-key-virtkey-abc12-user1")
    data = {name: base64.b64decode(value).decode() for name, value in one["data"].items()}
    assert (data["OPENAI_API_KEY"], data["OPENAI_BASE_URL"], data["ANTHROPIC_API_KEY"]) == (keys[0]["value"], f"{URL}/v1", keys[0]["value"])
    assert one["metadata"]["labels"]["litellm-virtual-keys.rhpds/owner"] == "user1_at_example.org"
    assert one["metadata"]["annotations"]["litellm-virtual-keys.rhpds/expires"] == "2026-12-31T18:00:00Z"
    listed = kube.kubectl("get", "secrets", "-l", "litellm-virtual-keys.rhpds/alias=virtkey-abc12-user2", "-o", "name", namespace=namespace)
    assert listed.split() == ["secret/llm-key-virtkey-abc12-user2"]
    version = one["metadata"]["resourceVersion"]

    deliver(keys, "kubernetes_secret", **account)
    assert set(deliver.field("changed").values()) == {False}
    assert secret(kube, namespace, "llm-key-virtkey-abc12-user1")["metadata"]["resourceVersion"] == version

    rotated = {**keys[0], "value": derive.value("another secret for it", "x")}
    deliver([rotated, keys[1]], "kubernetes_secret", key_delivery_vendors=["openai"], **account)
    assert [each["changed"] for each in deliver.results] == [True, True]
    data = secret(kube, namespace, "llm-key-virtkey-abc12-user1")["data"]
    assert set(data) == {"OPENAI_API_KEY", "OPENAI_BASE_URL"}  # variables that are no longer wanted are removed
    assert base64.b64decode(data["OPENAI_API_KEY"]).decode() == rotated["value"]

    kube.call("POST", f"/api/v1/namespaces/{namespace}/secrets", {"metadata": {"name": "of-somebody-else"}})
    for changed in (True, False):
        deliver([{**each, "value": None, "action": "deleted"} for each in keys], "kubernetes_secret", key_delivery_state="absent", **account)
        assert [(each["status"], each["changed"]) for each in deliver.results] == [("removed", changed)] * 2
    assert names(kube, namespace) == {"of-somebody-else"}


@pytest.mark.parametrize("missing", RIGHTS)
def test_every_documented_right_is_needed(deliver: Delivery, kube: Cluster, namespace: str, to_kubernetes: Callable[..., dict[str, Any]], missing: str) -> None:
    weaker = to_kubernetes(kube.account(namespace, [right for right in RIGHTS if right != missing]))
    keys = [key("user1")]
    if missing == "delete":
        deliver(keys, "kubernetes_secret", **weaker)
        assert deliver.field() == {("user1", "kubernetes_secret"): "delivered"}
        deliver(keys, "kubernetes_secret", key_delivery_state="absent", **weaker)
    else:
        deliver(keys, "kubernetes_secret", **weaker)
    (result,) = deliver.results
    assert (result["status"], result["temporary"]) == ("failed", False)
    assert f'cannot {missing} resource "secrets"' in result["reason"]


def test_rights_hold_in_one_namespace_only(deliver: Delivery, kube: Cluster, to_kubernetes: Callable[..., dict[str, Any]]) -> None:
    other_namespace = kube.namespace()
    deliver([key("user1", namespace=other_namespace), key("user2")], "kubernetes_secret", **to_kubernetes())
    assert deliver.field() == {("user1", "kubernetes_secret"): "failed", ("user2", "kubernetes_secret"): "delivered"}


def test_the_rights_can_be_given_by_the_role(deliver: Delivery, kube: Cluster, namespace: str) -> None:
    admin = {"key_delivery_kubernetes_namespace": namespace, "key_delivery_kubernetes_connection": {"kubeconfig": str(kube.admin.kubeconfig)}}
    deliver([], tasks_from="kubernetes_rbac", **admin)
    who = f"system:serviceaccount:{namespace}:key-delivery"
    for verb, answer in (("get", "yes"), ("create", "yes"), ("patch", "yes"), ("delete", "yes"), ("list", "no"), ("watch", "no"), ("update", "no")):
        done = subprocess.run(
            [str(kube.assets / "kubectl"), f"--kubeconfig={kube.admin.kubeconfig}", "auth", "can-i", verb, "secrets", f"--as={who}", "-n", namespace],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.strip() == answer, verb
    deliver([], tasks_from="kubernetes_rbac", key_delivery_state="absent", **admin)
    with pytest.raises(requests.HTTPError, match="404"):
        kube.call("GET", f"/api/v1/namespaces/{namespace}/serviceaccounts/key-delivery")


def test_a_secret_of_another_owner_is_neither_taken_over_nor_removed(
    deliver: Delivery, kube: Cluster, namespace: str, to_kubernetes: Callable[..., dict[str, Any]]
) -> None:
    theirs = {"metadata": {"name": "shared"}, "type": "Opaque", "data": {"password": base64.b64encode(b"x").decode()}}
    kube.call("POST", f"/api/v1/namespaces/{namespace}/secrets", theirs)
    keys, account = [key("user1", secret_name="shared"), key("user2")], to_kubernetes()
    for state, done in (("present", "delivered"), ("absent", "removed")):
        deliver(keys, "kubernetes_secret", key_delivery_state=state, **account)
        assert deliver.field() == {("user1", "kubernetes_secret"): "failed", ("user2", "kubernetes_secret"): done}
        assert "is a Secret that this collection did not make" in deliver.field("reason")[("user1", "kubernetes_secret")]
    assert secret(kube, namespace, "shared")["data"] == theirs["data"]
    assert "labels" not in secret(kube, namespace, "shared")["metadata"]
    assert names(kube, namespace) == {"shared"}


def test_changes_by_others_in_a_secret_of_ours_are_kept_unless_forced(
    deliver: Delivery, kube: Cluster, namespace: str, to_kubernetes: Callable[..., dict[str, Any]]
) -> None:
    account, name = to_kubernetes(), "llm-key-virtkey-abc12-user1"
    deliver([key("user1")], "kubernetes_secret", **account)
    mine = base64.b64encode(b"https://proxy.test/v1").decode()
    kube.kubectl("patch", "secret", name, "-p", json.dumps({"data": {"OPENAI_BASE_URL": mine}}), namespace=namespace)
    deliver([key("user1")], "kubernetes_secret", **account)
    assert (deliver.results[0]["status"], "conflict" in deliver.results[0]["reason"].lower()) == ("failed", True)
    assert secret(kube, namespace, name)["data"]["OPENAI_BASE_URL"] == mine
    deliver([key("user1")], "kubernetes_secret", key_delivery_kubernetes_force_conflicts=True, **account)
    assert secret(kube, namespace, name)["data"]["OPENAI_BASE_URL"] == base64.b64encode(f"{URL}/v1".encode()).decode()


def test_names_and_labels_are_valid_for_any_alias_and_address(
    deliver: Delivery, kube: Cluster, namespace: str, to_kubernetes: Callable[..., dict[str, Any]]
) -> None:
    aliases = ["User-ada@example.org-gpt/4", "user-ada@example.org-gpt-4", "a" * 255, "user+tag:x"]
    long = f"{'l' * 60}@{'d' * 50}.example.org"
    deliver([key("", alias=alias, email=long) for alias in aliases], "kubernetes_secret", **to_kubernetes())
    assert set(deliver.field().values()) == {"delivered"}
    found = kube.call("GET", f"/api/v1/namespaces/{namespace}/secrets")["items"]
    assert {each["metadata"]["annotations"]["litellm-virtual-keys.rhpds/alias"] for each in found} == set(aliases)
    assert {each["metadata"]["annotations"]["litellm-virtual-keys.rhpds/owner"] for each in found} == {long}


def test_check_mode_asks_the_api_and_writes_nothing(deliver: Delivery, kube: Cluster, namespace: str, to_kubernetes: Callable[..., dict[str, Any]]) -> None:
    deliver([key("user1"), key("user2", namespace="no-such-namespace")], "kubernetes_secret", arguments=("--check",), **to_kubernetes())
    assert deliver.field()[("user1", "kubernetes_secret")] == "planned"
    assert deliver.field()[("user2", "kubernetes_secret")] == "failed"
    assert names(kube, namespace) == set()


def test_a_run_after_an_outage_of_the_api_delivers(
    deliver: Delivery, kube: Cluster, namespace: str, to_kubernetes: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    account, file = to_kubernetes(), str(tmp_path / "x.env")
    with kube.api_down():
        deliver([key("user1")], "kubernetes_secret", "env_file", key_delivery_env_file=file, **account)
    assert deliver.field() == {("user1", "kubernetes_secret"): "failed", ("user1", "env_file"): "delivered"}
    assert deliver.field("temporary")[("user1", "kubernetes_secret")] is True
    deliver([key("user1")], "kubernetes_secret", "env_file", key_delivery_env_file=file, **account)
    assert set(deliver.field().values()) == {"delivered"}


def test_five_hundred_files_are_one_task(deliver: Delivery, tmp_path: Path) -> None:
    run = deliver([key(f"user{number}") for number in range(500)], "env_file", key_delivery_env_file=str(tmp_path / "litellm.env"))
    assert run.output.count("TASK [rhpds.litellm_virtual_keys.key_delivery : Write or remove all files]") == 1
    assert len(list(tmp_path.glob("*.env"))) == 500


def test_a_hundred_secrets_are_one_task(deliver: Delivery, kube: Cluster, namespace: str, to_kubernetes: Callable[..., dict[str, Any]]) -> None:
    started = time.monotonic()
    run = deliver([key(f"user{number}") for number in range(100)], "kubernetes_secret", **to_kubernetes())
    assert run.output.count("TASK [rhpds.litellm_virtual_keys.key_delivery : Apply all Secrets]") == 1
    assert len(names(kube, namespace)) == 100
    assert time.monotonic() - started < 120


# --------------------------------------------------------------------------------------------------------- agnosticd
def test_user_data_for_agnosticd(deliver: Delivery, tmp_path: Path) -> None:
    keys = [key("user1"), key("user2"), key("", alias="virtkey-abc12")]
    deliver(keys, "agnosticd", output_dir=str(tmp_path / "output"), ACTION="provision")
    assert set(deliver.field().values()) == {"delivered"}
    saved = yaml.safe_load((tmp_path / "output" / "provision-user-data.yaml").read_text(encoding="utf-8"))
    assert saved["litellm_virtual_key"] == keys[2]["value"]
    assert saved["users"]["user2"]["litellm_virtual_key"] == keys[1]["value"]
    assert saved["users"]["user2"]["litellm_api_base_url"] == f"{URL}/v1"
    assert stat.S_IMODE((tmp_path / "output" / "provision-user-data.yaml").stat().st_mode) == 0o600


def test_user_data_without_an_output_directory_is_a_failure(deliver: Delivery) -> None:
    deliver([key("user1")], "agnosticd")
    assert deliver.field() == {("user1", "agnosticd"): "failed"}
    assert "output_dir is not set" in deliver.results[0]["reason"]


# ---------------------------------------------------------------------------------------------------------- together
def test_a_method_that_fails_does_not_stop_the_others_and_the_role_says_so_at_its_end(deliver: Delivery, smtp: SmtpFactory, tmp_path: Path) -> None:
    down = smtp(started=False)
    keys = [key("user1"), key("user2", value=None), key("user3", action="deleted"), key("user4", retired_from="virtkey-abc12-user1")]
    settings = {**mail_settings(down), "key_delivery_smtp_retries": 0, "key_delivery_env_file": str(tmp_path / "x.env")}
    run = deliver(keys, "mail", "kubernetes_secret", "env_file", check=False, key_delivery_fail=True, **settings)
    assert run.returncode != 0
    assert "5 of 6 deliveries failed; the first is virtkey-abc12-user2 by mail: its value is not known" in run.output.replace("\n", " ")
    deliver(keys, "mail", "kubernetes_secret", "env_file", **settings)
    assert deliver.field() == {
        ("user1", "mail"): "failed",
        ("user1", "kubernetes_secret"): "failed",
        ("user1", "env_file"): "delivered",
        ("user2", "mail"): "failed",
        ("user2", "kubernetes_secret"): "failed",
        ("user2", "env_file"): "failed",
    }
    assert deliver.field("temporary")[("user1", "mail")] is True
    assert deliver.field("temporary")[("user2", "mail")] is False


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"key_delivery_methods": ["mail", "pigeon"]}, "pigeon"),
        ({"key_delivery_methods": []}, "key_delivery_methods is empty"),
        ({"key_delivery_gateway_url": "llm.example.com"}, "not the address of a gateway"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_anything_is_delivered(
    deliver: Delivery, smtp: SmtpFactory, tmp_path: Path, more: Mapping[str, Any], message: str
) -> None:
    server = smtp()
    settings = {**mail_settings(server), "key_delivery_env_file": str(tmp_path / "x.env"), **more}
    run = deliver([key("user1")], "mail", "env_file", check=False, **settings)
    assert run.returncode != 0
    assert message in " ".join(run.output.split())
    assert server.mailbox.connections == 0
    assert not list(tmp_path.glob("*.env"))


def test_the_keys_of_virtual_keys_are_delivered_and_work_on_a_real_gateway(
    deliver: Delivery, gateway: Gateway, smtp: SmtpFactory, unique: str, tmp_path: Path
) -> None:
    server, file = smtp(), tmp_path / "litellm-ada.env"
    wanted = {"guid": unique, "models": [MOCK_MODELS[0]], "duration": "1h", "keys": [{"user": "ada", "user_id": "ada@example.org"}]}
    minted = call_module("virtual_keys", {"url": gateway.url, "api_key": gateway.master_key, **wanted}, no_log=True)
    more = {"key_delivery_env_file": str(tmp_path / "litellm.env"), "key_delivery_gateway_url": gateway.url}
    deliver(minted["virtual_keys"], "env_file", "mail", **more, **mail_settings(server))
    assert set(deliver.field().values()) == {"delivered"}
    (mail,) = server.mailbox.of("ada@example.org")
    assert minted["virtual_keys"][0]["value"] in mail.part("plain")
    base, token = sourced(file, "OPENAI_BASE_URL", "OPENAI_API_KEY")
    body = {"model": MOCK_MODELS[0], "messages": [{"role": "user", "content": "Say hello."}]}
    answer = requests.post(f"{base}/chat/completions", headers={"Authorization": f"Bearer {token}"}, json=body, timeout=60)
    assert answer.status_code == 200, answer.text
    claude, token = sourced(file, "ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY")
    answer = requests.post(f"{claude}/v1/messages", headers={"x-api-key": token}, json={**body, "max_tokens": 9}, timeout=60)
    assert answer.status_code == 200, answer.text
    google, token = sourced(file, "GOOGLE_GEMINI_BASE_URL", "GOOGLE_API_KEY")
    asked = {"contents": [{"role": "user", "parts": [{"text": "Say hello."}]}]}
    path = f"/v1beta/models/{MOCK_MODELS[0]}:generateContent"
    answer = requests.post(google + path, headers={"x-goog-api-key": token}, json=asked, timeout=60)
    assert answer.status_code == 200, answer.text
