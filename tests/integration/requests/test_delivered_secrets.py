# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The Secrets in which requested keys are delivered: real passes, a real Kubernetes API, LiteLLM and mail server."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.delivery import DeliverySettings, plan_deliveries
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass import key_secrets, plan
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.requests.desk import KEY, Desk
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.call_module import call_module
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.kubernetes.cluster import PASS_RULES, Account, Cluster

UPKEEP = ["list", "create", "patch", "delete"]
"""The rights on Secrets that deliver keys and keep them up to date."""


def delivery(account: Account, *methods: str) -> dict[str, Any]:
    """Return the role's variables for deliveries to the account's namespace."""
    return {
        "key_requests_delivery_methods": list(methods),
        "key_delivery_kubernetes_namespace": account.namespace,
        "key_delivery_kubernetes_connection": {"kubeconfig": str(account.kubeconfig)},
    }


def secrets(kube: Cluster, namespace: str) -> dict[str, dict[str, Any]]:
    """Return the Secrets of a namespace by name."""
    return {each["metadata"]["name"]: each for each in kube.call("GET", f"/api/v1/namespaces/{namespace}/secrets")["items"]}


def value_in(secret: dict[str, Any]) -> str:
    return base64.b64decode(secret["data"]["OPENAI_API_KEY"]).decode()


def test_a_key_is_delivered_as_a_secret_that_is_nobody_else_s(desk, kube, namespace, unique):
    ada, bob = f"ada-{unique}@company.com", f"bob-{unique}@company.com"
    ids = {email: desk.ask(email) for email in (ada, bob)}
    variables = delivery(kube.account(namespace, ["patch", "create"]), "mail", "kubernetes_secret")
    taken = f"llm-virtual-key-{plan.alias_of(DirectoryStore(str(desk.queue)).get(ids[bob]))}"
    kube.kubectl("create", "secret", "generic", taken, "--from-literal=theirs=1", namespace=namespace)
    desk.process(**variables)
    made = json.loads(kube.kubectl("get", "secrets", "-o", "json", namespace=namespace))["items"]
    (secret,) = (each for each in made if each["type"] == "rhpds/litellm-virtual-key")
    value = base64.b64decode(secret["data"]["OPENAI_API_KEY"]).decode()
    assert value == desk.key_of(ada) and desk.gateway.chat(value).status_code == 200
    failure = desk.requests()[bob]["progress"]["failure"]["reason"]
    assert "is a Secret that this collection did not make" in failure and desk.key_of(bob) not in failure
    assert desk.requests()[bob]["progress"]["status"] == "stopped", "trying again is of no use"
    (theirs,) = (each for each in made if each["metadata"]["name"] == taken)
    assert set(theirs["data"]) == {"theirs"}


def test_a_secret_lives_as_long_as_its_key_and_follows_its_rotations(desk: Desk, kube: Cluster, namespace: str, unique: str) -> None:
    variables = delivery(kube.account(namespace, UPKEEP), "kubernetes_secret")
    ada, bob = f"ada-{unique}@company.com", f"bob-{unique}@company.com"
    ids = {email: desk.ask(email) for email in (ada, bob)}
    kube.kubectl("create", "secret", "generic", "of-somebody-else", "--from-literal=theirs=1", namespace=namespace)
    desk.process(**variables)
    alias = {email: desk.requests()[email]["progress"]["key_alias"] for email in ids}
    name = {email: f"llm-virtual-key-{alias[email]}" for email in ids}
    assert set(secrets(kube, namespace)) == {*name.values(), "of-somebody-else"}
    first = value_in(secrets(kube, namespace)[name[ada]])
    (mail,) = desk.mails(ada)
    told = mail.part("plain") + mail.part("html")
    assert namespace in told and name[ada] in told and "UTC" in told and not KEY.findall(told)

    before = secrets(kube, namespace)
    assert "Secrets" not in desk.act("notices", **variables).output
    assert secrets(kube, namespace) == before, "nothing to do, nothing written"

    gateway = {"url": desk.gateway.url, "api_key": desk.gateway.master_key}
    call_module("virtual_keys", {**gateway, "keys": [{"alias": alias[ada]}], "rotation": "leaked"}, no_log=True)
    assert "1 Secrets were updated, 0 were removed" in desk.playbook("notices", {**desk.variables, **variables}, "--check").output
    assert value_in(secrets(kube, namespace)[name[ada]]) == first, "in check mode nothing is written"
    with kube.api_down():
        run = desk.act("notices", **variables)
        assert "the Secrets cannot be listed: the Kubernetes API does not answer" in " ".join(run.output.split())
    assert "1 Secrets were updated, 0 were removed" in desk.act("notices", **variables).output
    second = value_in(secrets(kube, namespace)[name[ada]])
    assert second != first
    assert (desk.gateway.chat(first).status_code, desk.gateway.chat(second).status_code) == (401, 200)

    desk.module("key_request", request_id=ids[ada], state="extended", duration="14d")
    desk.process(**variables)
    assert "1 Secrets were updated, 0 were removed" in desk.act("notices", **variables).output
    ends = secrets(kube, namespace)[name[ada]]["metadata"]["annotations"]["litellm-virtual-keys.rhpds/expires"]
    assert ends > secrets(kube, namespace)[name[bob]]["metadata"]["annotations"]["litellm-virtual-keys.rhpds/expires"]

    desk.gateway.post("/key/delete", keys=[row["token"] for row in desk.rows(ids[bob])])
    with kube.api_down():
        desk.act("notices", **variables)
    assert desk.requests()[bob]["progress"]["status"] == "ended"
    assert "0 Secrets were updated, 1 were removed" in desk.act("notices", **variables).output
    assert set(secrets(kube, namespace)) == {name[ada], "of-somebody-else"}
    assert desk.gateway.chat(second).status_code == 200


def test_a_secret_is_removed_although_its_owner_has_asked_again(desk: Desk, kube: Cluster, namespace: str, unique: str) -> None:
    variables, ada = delivery(kube.account(namespace, UPKEEP), "kubernetes_secret"), f"ada-{unique}@company.com"
    request_id = desk.ask(ada)
    desk.process(**variables)
    (former,) = secrets(kube, namespace)
    desk.gateway.post("/key/delete", keys=[row["token"] for row in desk.rows(request_id)])
    desk.act("notices")  # without Secrets among its methods it leaves them alone
    desk.ask(ada)
    desk.process(**variables)
    assert len(secrets(kube, namespace)) == 2
    desk.act("notices", **variables)
    (present,) = secrets(kube, namespace)
    assert present != former and desk.gateway.chat(value_in(secrets(kube, namespace)[present])).status_code == 200


def test_a_secret_that_no_pass_applied_stays_whatever_its_labels_say(desk: Desk, kube: Cluster, namespace: str, unique: str) -> None:
    variables, ada = delivery(kube.account(namespace, UPKEEP), "kubernetes_secret"), f"ada-{unique}@company.com"
    request_id = desk.ask(ada)
    desk.process(**variables)
    (ours,) = secrets(kube, namespace).values()
    copied = {name: ours["metadata"][name] for name in ("labels", "annotations")}
    kube.call("POST", f"/api/v1/namespaces/{namespace}/secrets", {"metadata": {"name": "a-copy", **copied}, "type": ours["type"], "data": ours["data"]})
    kube.call("POST", f"/api/v1/namespaces/{namespace}/secrets", {"metadata": {"name": "another-type", **copied}})
    desk.gateway.post("/key/delete", keys=[row["token"] for row in desk.rows(request_id)])
    desk.act("notices", **variables)
    assert set(secrets(kube, namespace)) == {"a-copy", "another-type"}


@pytest.mark.parametrize("missing", UPKEEP)
def test_each_right_is_needed(desk: Desk, kube: Cluster, namespace: str, unique: str, missing: str) -> None:
    weaker = delivery(kube.account(namespace, [verb for verb in UPKEEP if verb != missing]), "kubernetes_secret")
    ada = f"ada-{unique}@company.com"
    request_id = desk.ask(ada)
    shown = desk.process(**weaker).output
    if missing in ("list", "delete"):
        desk.gateway.post("/key/delete", keys=[row["token"] for row in desk.rows(request_id)])
        shown = desk.act("notices", **weaker).output
    assert f'cannot {missing} resource "secrets"' in " ".join(shown.replace("\\", "").split())


def test_the_namespace_of_the_requests_is_refused(desk: Desk, kube: Cluster, namespace: str) -> None:
    account = kube.account_with_rules(namespace, PASS_RULES)
    among = {"key_requests_store": "kubernetes", "key_requests_kubeconfig": str(account.kubeconfig), **delivery(account, "kubernetes_secret")}
    shown = " ".join(desk.fail(**among).output.split())
    assert f"the Secrets of keys would lie in {namespace}, the namespace of the requests" in shown and "set key_delivery_kubernetes_namespace" in shown
    desk.process(**among, key_requests_allow_shared_namespace=True)


def test_secrets_are_found_page_by_page_without_their_data(kube: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_secrets, "PAGE", 2)
    account = kube.account(namespace, UPKEEP)
    keeper = key_secrets.KubernetesSecrets({"kubeconfig": str(account.kubeconfig)})
    settings = DeliverySettings(["kubernetes_secret"], url="https://llm.example.com", namespace=namespace, secret_prefix="p-")
    keys = [{"alias": f"a{number}", "value": f"sk-{number}", "request_id": f"r{number}", "expires": None} for number in range(5)]
    parcels = plan_deliveries(keys, settings)["kubernetes_secret"]
    assert all(result.delivered for result in keeper.apply([parcel["contents"] for parcel in parcels]))
    assert {secret.alias for secret in keeper.find(namespace)} == {key["alias"] for key in keys}
    assert {item["kind"] for item in keeper._page(namespace, "")["items"]} == {"PartialObjectMetadata"}
    rehearsal = key_secrets.KubernetesSecrets({"kubeconfig": str(account.kubeconfig)}, dry_run=True)
    assert all(result.delivered for result in rehearsal.remove(keeper.find(namespace))) and len(keeper.find(namespace)) == 5
    stale = keeper.find(namespace)[0]
    kube.kubectl("annotate", "secret", stale.name, "touched=1", namespace=namespace)
    (result,) = keeper.remove([stale])
    assert not result.delivered and "precondition" in result.reason
    assert keeper.remove(keeper.find(namespace) * 2)[-1].delivered, "what is gone is removed"


def test_who_may_change_a_secret_gets_no_other_person_s_key_into_it(desk: Desk, kube: Cluster, namespace: str, unique: str) -> None:
    variables = delivery(kube.account(namespace, UPKEEP), "kubernetes_secret")
    ada, eve = f"ada-{unique}@company.com", f"eve-{unique}@company.com"
    ids = {email: desk.ask(email) for email in (ada, eve)}
    desk.process(**variables)
    name = {email: f"llm-virtual-key-{desk.requests()[email]['progress']['key_alias']}" for email in ids}
    hers = value_in(secrets(kube, namespace)[name[eve]])
    theirs = secrets(kube, namespace)[name[ada]]["metadata"]
    notes = {key: theirs["annotations"][key] for key in theirs["annotations"] if not key.endswith("key-id")}
    path = f"/api/v1/namespaces/{namespace}/secrets/{name[eve]}"
    kube.call("PATCH", path, {"metadata": {"annotations": notes, "labels": theirs["labels"]}}, kind="application/merge-patch+json")
    desk.act("notices", **variables)
    assert value_in(secrets(kube, namespace)[name[eve]]) == hers
