# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Requests in a real Kubernetes API, through a service account with the least possible rights."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import pytest
import requests
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import kubernetes_secrets, secret, transitions
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import record as records
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import (
    Broken,
    Conflict,
    Forbidden,
    Missing,
    NoAccess,
    NoNamespace,
    RequestRefused,
    StoreRejected,
    StoreTlsFailed,
    StoreUnauthorized,
    StoreUnreachable,
)
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.kubernetes_secrets import Access, KubernetesStore
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import APPROVED, DENIED, PENDING, Record
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.requests import store_worker as worker
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.requests.store_worker import AT, wish
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.call_module import call_module
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.kubernetes.cluster import Account, Cluster

VERBS = ("get", "list", "create", "patch", "delete")
LATER = "2026-11-21T05:00:00Z"


@pytest.fixture
def account(kube: Cluster, namespace: str) -> Account:
    """An account with only the rights that the store needs."""
    return kube.account(namespace, VERBS)


@pytest.fixture
def store(account: Account) -> KubernetesStore:
    return KubernetesStore(Access(kubeconfig=str(account.kubeconfig)))


def submitted(store: KubernetesStore, number: int = 0, **more: Any) -> Record:
    record = store.submit(wish(number, **more)).after
    assert record is not None
    return record


def approve(record: Record) -> Record:
    return transitions.decide(record, APPROVED, by="admin", at=LATER)


def run_full_life(store: KubernetesStore) -> Record:
    """Do everything to a request that the modules do."""
    record = submitted(store)
    assert store.get(record.id) == record
    store.transition(record, approve)
    (record,) = store.listing(only_open=True).records
    for change in (
        lambda r: transitions.mark_minted(r, at=LATER, key_alias="k"),
        lambda r: transitions.mark_delivered(r, at=LATER, via="mail"),
        lambda r: transitions.mark_finished(r, at=LATER),
    ):
        store.transition(store.get(record.id), change)
    assert store.listing(only_open=True).records == ()
    (record,) = store.listing((APPROVED,)).records
    store.delete(record.id)
    return record


# ----------------------------------------------------------------------------------------------------------- rights
def test_five_verbs_on_secrets_in_one_namespace_are_enough(store: KubernetesStore) -> None:
    assert run_full_life(store).progress.status == "finished"


@pytest.mark.parametrize("lacking", VERBS)
def test_a_missing_right_is_named(kube: Cluster, namespace: str, lacking: str) -> None:
    account = kube.account(namespace, [verb for verb in VERBS if verb != lacking])
    store = KubernetesStore(Access(kubeconfig=str(account.kubeconfig)))
    with pytest.raises(Forbidden, match=f"may not {lacking} secrets in the namespace {namespace}; give its Role the verb {lacking}"):
        run_full_life(store)


def test_another_namespace_is_out_of_reach(kube: Cluster, account: Account) -> None:
    other = KubernetesStore(Access(kubeconfig=str(account.kubeconfig), namespace=kube.namespace()))
    with pytest.raises(Forbidden, match="may not list secrets"):
        other.listing()


# ---------------------------------------------------------------------------------------------------------- kubectl
def test_the_documented_manual_approval_counts(kube: Cluster, store: KubernetesStore, account: Account) -> None:
    record = submitted(store)
    name = f"llm-key-request-{record.id}"
    assert name in kube.kubectl("get", "secrets", "-l", "app.kubernetes.io/component=llm-key-request", account=account)
    kube.kubectl("label", "secret", name, "request-state=approved", "--overwrite", account=account)
    halfway = store.listing(only_open=True)
    assert halfway.records == (), "no pass decides between the two commands"
    assert "set both to the same state" in halfway.set_aside[0].reason
    assert name == halfway.set_aside[0].name
    with pytest.raises(Broken, match="annotation state is 'pending'"):
        store.transition(record, approve)
    kube.kubectl("annotate", "secret", name, "state=approved", "--overwrite", account=account)
    (approved,) = store.listing(only_open=True).records
    assert (approved.state, approved.history[-1].by) == (APPROVED, "by hand (kubectl-annotate)")
    minted = store.transition(approved, lambda r: transitions.mark_minted(r, at=LATER, key_alias="k")).after
    assert minted is not None
    assert store.get(record.id) == minted
    described = kube.kubectl("describe", "secret", name, account=account)
    assert "request-state=approved" in described
    assert "state: approved" in described


def test_a_decision_by_hand_is_not_overruled_by_a_pass_that_read_before(kube: Cluster, store: KubernetesStore, account: Account) -> None:
    read = submitted(store)
    name = secret.name_of(read.id)
    kube.kubectl("label", "secret", name, "request-state=approved", "--overwrite", account=account)
    kube.kubectl("annotate", "secret", name, "state=approved", "--overwrite", account=account)
    with pytest.raises(RequestRefused, match="approved by now"):
        store.transition(read, lambda r: transitions.decide(r, DENIED, by="chain", at=LATER, only_from=(PENDING,)))
    assert store.get(read.id).state == APPROVED


def test_a_finished_request_that_is_reopened_by_hand_is_found_again(kube: Cluster, store: KubernetesStore, account: Account) -> None:
    record = submitted(store)
    store.transition(record, lambda r: transitions.mark_finished(transitions.decide(r, DENIED, transitions.Ruling("no"), by="chain", at=AT), at=AT))
    assert store.listing(only_open=True).records == ()
    name = secret.name_of(record.id)
    kube.kubectl("label", "secret", name, "request-state=approved", "--overwrite", account=account)
    kube.kubectl("annotate", "secret", name, "state=approved", "--overwrite", account=account)
    (again,) = store.listing(only_open=True).records
    assert (again.state, again.open) == (APPROVED, True)


def test_invalid_records_are_set_aside_by_name_and_the_rest_continues(kube: Cluster, store: KubernetesStore, account: Account) -> None:
    broken, fine = submitted(store, 0), submitted(store, 1)
    name = secret.name_of(broken.id)
    kube.kubectl("label", "secret", name, "request-state=aproved", "--overwrite", account=account)
    kube.kubectl("annotate", "secret", name, "state=aproved", "--overwrite", account=account)
    before = kube.kubectl("get", "secret", name, "-o", "json", account=account)
    for listing in (store.listing(), store.listing(only_open=True)):
        assert listing.records == (fine,)
        assert [entry.name for entry in listing.set_aside] == [name]
    with pytest.raises(Broken, match="'aproved'"):
        store.submit(wish(0))
    assert kube.kubectl("get", "secret", name, "-o", "json", account=account) == before


# ------------------------------------------------------------------------------------------------------------- races
def go(*processes: subprocess.Popen[str]) -> list[int]:
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return [int(output) for output in outputs]


def start(account: Account, work: str, count: int) -> subprocess.Popen[str]:
    access = json.dumps({"kubeconfig": str(account.kubeconfig)})
    command = [sys.executable, worker.__file__, access, work, str(count)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_two_submitters_at_the_same_time_create_one_request_for_each_person(store: KubernetesStore, account: Account) -> None:
    assert sum(go(start(account, "submit", 30), start(account, "submit", 30))) == 30
    assert len(store.listing().records) == 30


def test_no_change_of_two_simultaneous_passes_is_lost(store: KubernetesStore, account: Account) -> None:
    submitted(store)
    go(start(account, "fail", 40), start(account, "fail", 40))
    failure = store.get(wish(0).id).progress.failure
    assert failure is not None
    assert failure.attempts == 80


def test_many_changes_at_once_of_which_a_refused_one_stops_no_other(store: KubernetesStore) -> None:
    read = [submitted(store, number) for number in range(20)]
    store.delete(read[3].id)
    store.transition(read[4], lambda r: transitions.decide(r, DENIED, transitions.Ruling("no"), by="admin", at=AT))
    outcomes = store.transition_all([(r, lambda r: transitions.decide(r, APPROVED, by="chain", at=AT, only_from=(PENDING,))) for r in read])
    assert [outcome.id for outcome in outcomes] == [record.id for record in read], "in order"
    assert {index for index, outcome in enumerate(outcomes) if outcome.error} == {3, 4}
    assert isinstance(outcomes[3].error, Missing)
    assert isinstance(outcomes[4].error, RequestRefused)
    assert len(store.listing((APPROVED,)).records) == 18


def test_a_request_that_was_deleted_and_recreated_is_not_deleted_by_an_old_reader(store: KubernetesStore) -> None:
    old = submitted(store)
    store.delete(old.id)
    submitted(store, purpose="new")
    with pytest.raises(Conflict):
        store._remove(old)
    assert store.get(old.id).purpose == "new"


# ------------------------------------------------------------------------------------------------------------- data
def test_text_that_people_write_stays_data(kube: Cluster, store: KubernetesStore) -> None:
    purpose = "<script>alert('x')</script> {{ 7*7 }} $(id) `id` ' \" \\ \n--- \u00e9\u6771\u4eac\U0001f600 & %s %00"
    record = submitted(store, email="o'brien+{x}=$y`z`@example.com", models=["日本語/<b>:{{x}}", "a b"], purpose=purpose)
    assert store.get(record.id) == record
    assert record.purpose == purpose
    denied = store.transition(record, lambda r: transitions.decide(r, DENIED, transitions.Ruling("x" * 1000, trace=[{"a": "<b>"}]), by="<admin>", at=AT)).after
    assert denied is not None
    assert store.get(record.id) == denied
    raw = kube.call("GET", f"/api/v1/namespaces/{store.namespace}/secrets/{secret.name_of(record.id)}")
    assert set(raw["metadata"]["labels"].values()) == {"llm-key-requestor", "llm-key-request", "rhpds.litellm_virtual_keys", "denied"}
    assert set(raw["metadata"]["annotations"]) == {"app.kubernetes.io/component", "email", "state", "created_at", "updated_at"}


def test_the_largest_request_that_is_allowed_fits(store: KubernetesStore) -> None:
    models = [f"{number:03}" + "\U0001f600" * 253 for number in range(records.MOST_MODELS)]
    record = submitted(store, email="x" * 64 + "@" + "y" * 60 + "." + "z" * 60 + ".example", models=models, purpose="\u6771" * 2000)

    def deny(record: Record) -> Record:
        return transitions.decide(record, DENIED, transitions.Ruling("\u6771" * 1000), by="\u6771" * 254, at=AT)

    def until_it_is_full() -> None:
        for number in range(records.MOST_STEPS):
            store.transition(store.get(record.id), approve if number % 2 else deny)

    with pytest.raises(RequestRefused, match="history is full"):
        until_it_is_full()
    record = store.get(record.id)
    assert len(record.history) > 60, "and nothing is left out of it"


def test_a_request_of_the_requestor_itself_is_the_persons_request(kube: Cluster, store: KubernetesStore, account: Account) -> None:
    uid = "7b0cf6f7-5c52-4f5e-9d55-0a3d6b6f1c11"
    theirs = secret.new_secret(replace(wish(0), id=uid), store.namespace)
    del theirs["data"]["details"], theirs["metadata"]["labels"][secret.MANAGED_BY]
    kube.call("POST", f"/api/v1/namespaces/{store.namespace}/secrets", theirs)
    found = store.submit(wish(0, email="PERSON0@example.com"))
    assert found.after is not None
    assert (found.changed, found.after.id) == (False, uid)
    approved = store.transition(found.after, approve).after
    assert approved is not None
    assert store.get(uid) == approved
    assert store.submit(wish(0)).after == approved
    kube.kubectl("annotate", "secret", secret.name_of(uid), "state=denied", "--overwrite", account=account)
    with pytest.raises(Broken):
        store.submit(wish(0, models=["another"]))  # the unreadable record may be this request, so no second one is made


def test_a_listing_that_remembers_parses_what_has_changed_only(store: KubernetesStore, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = submitted(store), submitted(store, 1)
    remembering = KubernetesStore(Access(kubeconfig=str(account.kubeconfig)), remember=True)
    parsed: list[str] = []
    load = remembering._load
    monkeypatch.setattr(remembering, "_load", lambda item: parsed.append(item["metadata"]["name"]) or load(item))
    assert remembering.listing() == store.listing() and len(parsed) == 2
    parsed.clear()
    assert remembering.listing() == store.listing() and parsed == []
    store.transition(first, approve)
    assert remembering.listing() == store.listing() and parsed == [f"llm-key-request-{first.id}"]
    store.delete(second.id)
    assert [record.id for record in remembering.listing().records] == [first.id]


def test_listings_come_in_pages(store: KubernetesStore, monkeypatch: pytest.MonkeyPatch) -> None:
    everyone = {submitted(store, number).id for number in range(7)}
    monkeypatch.setattr(kubernetes_secrets, "PAGE", 3)
    calls = counted(store, monkeypatch)
    assert {record.id for record in store.listing().records} == everyone
    assert calls == ["list"] * 3


def test_a_listing_with_an_expired_continue_token_starts_again(kube: Cluster, store: KubernetesStore, monkeypatch: pytest.MonkeyPatch) -> None:
    everyone = {submitted(store, number).id for number in range(7)}
    monkeypatch.setattr(kubernetes_secrets, "PAGE", 3)
    original_call, statuses = store._call, []

    def call(verb: str, *arguments: Any, **options: Any) -> Any:
        if options.get("_continue"):
            options["_continue"] = kube.expired_continue(options["_continue"])
        try:
            return original_call(verb, *arguments, **options)
        except kubernetes_secrets._Expired:
            statuses.append(410)
            raise

    monkeypatch.setattr(store, "_call", call)
    assert {record.id for record in store.listing().records} == everyone
    assert statuses == [410], "the continue token did expire"


def counted(store: KubernetesStore, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    calls: list[str] = []
    original_call = store._call

    def call(verb: str, *arguments: Any, **options: Any) -> Any:
        calls.append(verb)
        return original_call(verb, *arguments, **options)

    monkeypatch.setattr(store, "_call", call)
    return calls


def test_a_change_costs_one_call_when_nobody_interferes(store: KubernetesStore, monkeypatch: pytest.MonkeyPatch) -> None:
    records_ = [submitted(store, number) for number in range(10)]
    calls = counted(store, monkeypatch)
    store.transition_all([(record, approve) for record in records_])
    assert calls == ["patch"] * 10


# ------------------------------------------------------------------------------------------------------------ faults
def test_a_token_that_is_no_longer_valid(kube: Cluster, store: KubernetesStore, account: Account) -> None:
    submitted(store)
    kube.call("DELETE", f"/api/v1/namespaces/{account.namespace}/serviceaccounts/{account.name}")

    def list_for(seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            store.listing()
            time.sleep(0.5)

    with pytest.raises(StoreUnauthorized, match="may have expired"):
        list_for(30)  # the API itself accepts a deleted token for some seconds


def test_the_api_is_down_and_comes_back(kube: Cluster, store: KubernetesStore) -> None:
    record = submitted(store)
    with kube.api_down():
        for act in (store.listing, lambda: store.transition(record, approve), lambda: store.submit(wish(1))):
            with pytest.raises(StoreUnreachable, match="does not answer"):
                act()
    assert store.transition(record, approve).changed, "the same objects keep working"


def test_a_certificate_of_an_unknown_authority_of_the_api(kube: Cluster, account: Account) -> None:
    stranger = KubernetesStore(Access(host=kube.server, api_key=account.token, namespace=account.namespace))
    with pytest.raises(StoreTlsFailed, match="ca_cert"):
        stranger.listing()
    known = KubernetesStore(Access(host=kube.server, api_key=account.token, namespace=account.namespace, ca_cert=str(kube.ca_file)))
    assert known.listing().records == ()


def test_a_server_that_is_not_kubernetes(kube: Cluster) -> None:
    store = KubernetesStore(Access(host=f"{kube.server}/healthz/ping?", api_key=kube.admin_token, ca_cert=str(kube.ca_file), namespace="x"))
    with pytest.raises(StoreUnreachable, match="not the Kubernetes API's"):
        store.listing()


def test_a_namespace_that_does_not_exist(kube: Cluster) -> None:
    store = KubernetesStore(Access(kubeconfig=str(kube.admin.kubeconfig), namespace="misspelt"))
    for act in (store.listing, lambda: store.submit(wish(0))):
        with pytest.raises(NoNamespace, match="no namespace misspelt"):
            act()


def test_a_refusal_of_the_api_is_quoted(kube: Cluster, store: KubernetesStore) -> None:
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {"count/secrets": "0"}}}
    kube.call("POST", f"/api/v1/namespaces/{store.namespace}/resourcequotas", quota)
    kube.call(
        "PATCH",
        f"/api/v1/namespaces/{store.namespace}/resourcequotas/none/status",
        {"status": {"hard": {"count/secrets": "0"}, "used": {"count/secrets": "0"}}},
        kind="application/merge-patch+json",
    )
    with pytest.raises(StoreRejected, match="exceeded quota"):
        store.submit(wish(0))


# --------------------------------------------------------------------------------------------------------- namespace
def test_where_the_namespace_comes_from(kube: Cluster, account: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    def namespace(**access: Any) -> str:
        return KubernetesStore(Access(**access)).namespace

    file = tmp_path / "namespace"
    file.write_text("of-the-pod\n")
    monkeypatch.setattr(kubernetes_secrets, "SERVICE_ACCOUNT_NAMESPACE", file)
    direct = {"host": kube.server, "api_key": "x"}
    monkeypatch.setenv("KUBERNETES_NAMESPACE", "of-the-environment")
    assert namespace(kubeconfig=str(account.kubeconfig), namespace="given") == "given"
    assert namespace(kubeconfig=str(account.kubeconfig)) == "of-the-environment"
    monkeypatch.delenv("KUBERNETES_NAMESPACE")
    assert namespace(kubeconfig=str(account.kubeconfig)) == account.namespace
    assert namespace(**direct) == "of-the-pod"
    file.unlink()
    assert namespace(**direct) == "default"
    with pytest.raises(ValueError, match="small letters"):
        namespace(namespace="../x", **direct)


def test_no_cluster_is_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    from kubernetes.config import kube_config

    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    with pytest.raises(NoAccess, match=r"no kubeconfig can be used .* no pod"):
        KubernetesStore(Access())
    broken = tmp_path / "broken"
    broken.write_text("clusters: [")
    for path in (broken, tmp_path / "none"):
        with pytest.raises(NoAccess, match="kubeconfig cannot be used"):
            KubernetesStore(Access(kubeconfig=str(path)))


def test_the_fixture_enforces_rbac(kube: Cluster) -> None:
    """RBAC is on: nothing is allowed without a token."""
    with requests.Session() as nobody:
        nobody.trust_env = False
        answer = nobody.get(f"{kube.server}/api/v1/namespaces/default/secrets", verify=str(kube.ca_file), timeout=10)
    assert answer.status_code == 403


# ----------------------------------------------------------------------------------------------------------- modules
def test_the_modules_reach_it_and_never_show_the_token(kube: Cluster, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    direct = {"store": "kubernetes", "host": kube.server, "api_key": account.token, "ca_cert": str(kube.ca_file), "namespace": account.namespace}
    asked = call_module("key_request", {**direct, "email": "ada@example.com", "model": "gpt-4"}, diff=True, no_log=False)
    assert asked["changed"]
    name = secret.name_of(asked["request"]["request_id"])
    kube.kubectl("label", "secret", name, "request-state=approved", "--overwrite", account=account)
    kube.kubectl("annotate", "secret", name, "state=approved", "--overwrite", account=account)
    monkeypatch.setenv("K8S_AUTH_KUBECONFIG", str(account.kubeconfig))
    listed = call_module("key_request_info", {"store": "kubernetes", "filter": "open"}, no_log=False)
    assert [request["state"] for request in listed["requests"]] == ["approved"]
    change = {"request_id": asked["request"]["request_id"], "state": "denied", "reason": "no"}
    rehearsed = call_module("key_request", {"store": "kubernetes", **change}, check=True, no_log=False)
    assert rehearsed["request"]["state"] == "denied"
    assert call_module("key_request_info", {"store": "kubernetes"})["requests"] == listed["requests"], "check mode wrote nothing"
    wrong = call_module("key_request_info", {**direct, "api_key": account.token + "x"}, no_log=False)
    assert (wrong["failed"], wrong["code"]) == (True, "unauthorized")
    assert account.token not in json.dumps([asked, listed, rehearsed, wrong])
