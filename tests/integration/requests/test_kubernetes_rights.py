# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Who may do what with requests in Kubernetes: the accounts and the admission policy of the role, on a real API."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import durations
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery import sealed
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import record as records
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import transitions
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.box_keeper import box_of_request, take_box
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.catalogue_snapshot import published_catalogue
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import Desk, Wish, now
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import RequestRefused, StoreError, StoreRejected
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.insight import prepare_insight, want_insight
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.kubernetes_secrets import Access, KubernetesStore
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.sealed_box import SealedBox, new_box_id, proof_digest
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.requests.desk import GRANITE, MISTRAL
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.requests.desk import Desk as PassDesk
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.call_module import call_module
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.kubernetes.cluster import Account, Cluster
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.newer_release import PARTS, as_newer_release, parts_kept
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.smtp import SmtpFactory

ROLE = Path(__file__).parents[3] / "roles" / "key_requests"
RIGHTS: dict[str, list[dict[str, Any]]] = yaml.safe_load((ROLE / "vars" / "main.yml").read_text(encoding="utf-8"))["__key_requests_rights"]
WHO = ("submitter", "decider", "worker", "custodian", "portal")
GIVE_RIGHTS = [
    {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
        "tasks": [{"ansible.builtin.include_role": {"name": "rhpds.litellm_virtual_keys.key_requests", "tasks_from": "kubernetes_rbac"}}],
    }
]
LONG = 2000  # characters, the longest purpose


@dataclass
class House:
    """A namespace with the four accounts and the policy, and one for the Secrets of keys."""

    kube: Cluster
    namespace: str
    keys: str
    accounts: Mapping[str, Account]

    def call(self, who: str, name: str = "key_request", **arguments: Any) -> dict[str, Any]:
        """Call a module as one of the accounts."""
        return call_module(name, {"store": "kubernetes", "kubeconfig": str(self.accounts[who].kubeconfig), **arguments}, no_log=False)

    def ask(self, name: str, **more: Any) -> str:
        result = self.call("submitter", email=f"{name}@company.com", **(more or {"package": "dev"}))
        assert not result.get("failed"), result["msg"]
        return str(result["request"]["request_id"])

    def refused(self, who: str, words: str, name: str = "key_request", **arguments: Any) -> None:
        result = self.call(who, name, **arguments)
        assert result.get("failed") and words in result["msg"], result

    def secret(self, request_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.kube.call("GET", f"/api/v1/namespaces/{self.namespace}/secrets/llm-key-request-{request_id}")
        return found

    def details(self, request_id: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(base64.b64decode(self.secret(request_id)["data"]["details"]))
        return found

    def write(self, who: str, method: str, path: str, body: Mapping[str, Any]) -> str:
        """Write a Secret as one of the accounts or as the user with an address, past the modules, and return why that was refused, or nothing."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        as_user = {"Impersonate-User": who} if "@" in who else {}
        token = self.kube.admin.token if as_user else self.accounts[who].token
        headers = {"Authorization": f"Bearer {token}", "Content-Type": kind, **as_user}
        url = f"{self.kube.server}/api/v1/namespaces/{self.namespace}/secrets{path}"
        answer = requests.request(method, url, data=json.dumps(body), headers=headers, verify=str(self.kube.ca_file), timeout=30)
        return "" if answer.ok else str(answer.json()["message"])

    def patch(self, who: str, request_id: str, **body: Any) -> str:
        return self.write(who, "PATCH", f"/llm-key-request-{request_id}", body)

    def forged(
        self, details: str | Mapping[str, Any], *, state: str = "pending", name: str = "", prefix: str = "llm-key-request-", who: str = "submitter", **data: str
    ) -> str:
        """Return why the submitter, or somebody else, may not create such a request, or nothing."""
        text = details if isinstance(details, str) else json.dumps(details, ensure_ascii=False)
        own = records.request_id("eve@company.com", ["gpt-4"], "")
        texts = {"request_id": name or own, "email": "eve@company.com", "model": "gpt-4", "state": state, "details": text, **data}
        labels = {"app.kubernetes.io/component": "llm-key-request", "request-state": state}
        metadata = {"name": f"{prefix}{name or own}", "labels": labels, "annotations": {"state": state, "email": "eve@company.com"}}
        return self.write(who, "POST", "", {"metadata": metadata, "data": encoded(texts)})


def encoded(texts: Mapping[str, str]) -> dict[str, str]:
    return {name: base64.b64encode(text.encode()).decode() for name, text in texts.items()}


def settled(check: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until the API server has read what was written last."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.fixture(scope="module")
def house(kube: Cluster, tmp_path_factory: pytest.TempPathFactory) -> House:
    folder = tmp_path_factory.mktemp("rights")
    play = folder / "play.yml"
    play.write_text(yaml.safe_dump(GIVE_RIGHTS), encoding="utf-8")
    namespace, keys = kube.namespace("requests"), kube.namespace("keys")
    variables = {
        "key_requests_namespace": namespace,
        "key_delivery_kubernetes_namespace": keys,
        "key_requests_kubernetes_connection": {"kubeconfig": str(kube.admin.kubeconfig)},
    }
    assert Playbooks(folder)(play, variables).changed == 1
    assert Playbooks(folder)(play, variables).changed == 0
    accounts = {who: kube.existing_account(namespace, f"key-requests-{who}") for who in WHO}
    made = House(kube, namespace, keys, accounts)
    settled(lambda: "may submit requests" in made.forged({}, state="approved", name="probe"))
    return made


# ----------------------------------------------------------------------------------------------------- each has a job
def test_a_request_goes_through_the_hands_of_all_three(
    house: House, gateway: Gateway, playbook: Playbooks, smtp: SmtpFactory, tmp_path: Path, unique: str
) -> None:
    store = {"key_requests_store": "kubernetes", "key_requests_namespace": house.namespace, "key_requests_kubeconfig": ""}
    desks = {}
    server = smtp(tls="starttls")
    for who, account in house.accounts.items():
        desks[who] = PassDesk(gateway, playbook, server, tmp_path, **{**store, "key_requests_kubeconfig": str(account.kubeconfig)})
    rev, ada = f"rev-{unique}@company.com", f"ada-{unique}@company.com"
    delivery = {
        "key_requests_delivery_methods": ["mail", "kubernetes_secret"],
        "key_delivery_kubernetes_namespace": house.keys,
        "key_delivery_kubernetes_connection": {"kubeconfig": str(house.accounts["worker"].kubeconfig)},
    }
    ids = {ada: desks["submitter"].ask(ada, model=GRANITE), rev: desks["submitter"].ask(rev, model=MISTRAL, purpose='A course: \u00fc "x", {y}')}
    desks["worker"].process(**delivery)
    assert {each: request["state"] for each, request in desks["decider"].requests().items() if each in ids} == {ada: "approved", rev: "in-review"}
    desks["decider"].act("approve", request_id=ids[rev], duration="2d")
    desks["worker"].process(**delivery)
    for email, model in ((ada, GRANITE), (rev, MISTRAL)):
        assert gateway.chat(desks["worker"].key_of(email), model).status_code == 200
    assert len(house.kube.call("GET", f"/api/v1/namespaces/{house.keys}/secrets")["items"]) == 2

    assert house.call("submitter", request_id=ids[ada], state="renewed", duration="20d")["request"]["state"] == "pending"
    desks["worker"].process(**delivery)
    renewal = next(each for each in desks["decider"].module("key_request_info")["requests"] if each["renews"] == ids[ada])
    assert (renewal["state"], renewal["progress"]["status"]) == ("approved", "finished")

    gateway.post("/key/delete", keys=[row["token"] for row in desks["worker"].rows(ids[ada])])
    desks["worker"].act("notices", **delivery)
    assert len(house.kube.call("GET", f"/api/v1/namespaces/{house.keys}/secrets")["items"]) == 1
    assert house.call("submitter", email=ada, model=GRANITE)["request"]["state"] == "pending", "asked again, with its history"
    assert house.call("submitter", email=ada, model=GRANITE, state="cancelled")["request"]["cancelled"]
    assert house.call("submitter", email=ada, model=GRANITE)["request"]["state"] == "pending"
    assert len(house.details(ids[ada])["history"]) > 3
    assert house.call("decider", request_id=ids[ada], state="denied", reason="Enough.")["request"]["state"] == "denied"


def test_the_longest_request_and_kubectl_pass_the_policy(house: House) -> None:
    request_id = house.ask("long", package="dev", purpose='\u00fc"' * (LONG // 2), guid="abc12", user="u1", duration="1d", max_budget=2.5, language="de")
    for change in (("label", "request-state=approved"), ("annotate", "state=approved")):
        house.kube.kubectl(change[0], "secret", f"llm-key-request-{request_id}", change[1], "--overwrite", account=house.accounts["decider"])
    assert house.call("decider", "key_request_info", request_id=request_id)["requests"][0]["state"] == "approved"
    assert house.ask("models", models=[f"model-{number:03}" for number in range(200)])


def test_only_passes_seal_keys_and_who_decides_opens_them(
    house: House, gateway: Gateway, playbook: Playbooks, smtp: SmtpFactory, tmp_path: Path, unique: str
) -> None:
    store = {"key_requests_store": "kubernetes", "key_requests_namespace": house.namespace}
    desk = PassDesk(gateway, playbook, smtp(tls="starttls"), tmp_path, **store, key_requests_kubeconfig=str(house.accounts["worker"].kubeconfig))
    stores = {who: KubernetesStore(Access(kubeconfig=str(account.kubeconfig), namespace=house.namespace)) for who, account in house.accounts.items()}
    delivery = {"key_requests_delivery_methods": ["sealed", "kubernetes_secret"], "key_requests_portal_url": "https://keys.example.com"}
    delivery |= {"key_delivery_kubernetes_namespace": house.keys}
    delivery |= {"key_delivery_kubernetes_connection": {"kubeconfig": str(house.accounts["worker"].kubeconfig)}}
    ada, bob = f"ada-{unique}@company.com", f"bob-{unique}@company.com"
    ids = {each: house.ask(each.partition("@")[0], model=GRANITE) for each in (ada, bob)}
    desk.process(**delivery)
    boxes = {each: stores["worker"].boxes.get(request_id) for each, request_id in ids.items()}
    box = boxes[ada]
    assert box is not None
    path, refusal = f"/llm-key-box-{ids[ada]}", "only passes seal keys"
    junk = {"data": encoded({"contents": "AAAA"}), "metadata": {"labels": {"box-state": "empty"}}}
    for who in ("submitter", "decider", "portal"):
        assert refusal in house.write(who, "PATCH", path, junk)
        assert refusal in house.write(who, "PATCH", path, {"metadata": {"labels": {"box-state": "empty"}}})
    assert refusal in house.write("submitter", "PATCH", path, {"data": {"contents": None}, "metadata": {"labels": {"box-state": "empty"}}})
    for metadata in ({"name": "llm-key-box-4711"}, {"name": "other", "labels": {"app.kubernetes.io/component": "llm-key-box"}}):
        assert refusal in house.write("submitter", "POST", "", {"metadata": metadata})
    link = re.search(r"/open/(\S+)#(\S+)", desk.mails(ada)[0].part("plain"))
    assert link is not None and link[1] == box.id
    taken = take_box(stores["portal"], box.id, now(), proof=sealed.opening_proof(link[2]))
    assert gateway.chat(sealed.open_sealed(taken.contents, link[2], box_id=box.id, request_id=ids[ada])["key"]).status_code == 200
    assert boxes[bob] in stores["worker"].boxes.listing(only_full=True).boxes
    assert ids[ada] not in {each.request_id for each in stores["worker"].boxes.listing(only_full=True).boxes}

    later = Desk(stores["portal"], clock=lambda: "2099-01-01T00:00:00Z")
    with pytest.raises(RequestRefused, match="its key has ended"):
        later.reseal(ids[ada])
    assert "got a link just now" in house.call("decider", request_id=ids[ada], state="resealed")["msg"]
    soon = durations.iso(datetime.now(UTC) + timedelta(minutes=10))
    assert Desk(stores["portal"], clock=lambda: soon).reseal(ids[ada]).changed, "beside a Secret, too"
    desk.process(**delivery)
    assert len(desk.mails(ada)) == 2 and len(desk.mails(bob)) == 1
    house.call("custodian", request_id=ids[bob], state="absent")
    assert {each.request_id for each in stores["worker"].boxes.listing().boxes} & set(ids.values()) == {ids[ada]}


# ------------------------------------------------------------------------------------------- and none has another's
def test_none_does_the_job_of_another_through_the_modules(house: House) -> None:
    request_id = house.ask("eve")
    house.refused("submitter", "may not list secrets", "key_request_info")
    for state, more in (("approved", {}), ("denied", {"reason": "no"})):
        house.refused("submitter", "this account may submit requests that are pending", request_id=request_id, state=state, **more)
    house.refused("submitter", "may not delete secrets", request_id=request_id, state="absent")
    house.refused("decider", "may not create secrets", email="mallory@company.com", package="dev")
    for who in ("decider", "worker"):
        house.refused(who, "may not delete secrets", request_id=request_id, state="absent")
        house.refused(who, "may not", "key_request_retention", erase="eve@company.com", wait=1)
    for who in ("submitter", "decider"):
        lease = f"{house.kube.server}/apis/coordination.k8s.io/v1/namespaces/{house.namespace}/leases"
        headers = {"Authorization": f"Bearer {house.accounts[who].token}"}
        assert requests.get(lease, headers=headers, verify=str(house.kube.ca_file), timeout=30).status_code == 403
    for who in WHO:
        base, headers = f"{house.kube.server}/api/v1/namespaces/{house.keys}/secrets", {"Authorization": f"Bearer {house.accounts[who].token}"}
        assert requests.get(base, headers=headers, verify=str(house.kube.ca_file), timeout=30).ok == (who == "worker")
    assert house.secret(request_id)["metadata"]["labels"]["request-state"] == "pending"


GRANT = {"terms": {"models": ["gpt-4"], "duration": "3650d", "max_budget": 100000}}
NEW = {"history": [{"at": "2026-11-21T04:00:00Z", "by": "eve", "to": "pending"}]}
MADE = {"progress": {"minted_at": "2026-11-21T04:00:00Z", "key_alias": "virtkey-of-somebody-else"}}


@pytest.mark.parametrize(
    "details",
    [
        *({**NEW, **more} for more in (GRANT, MADE, {"granted": GRANT["terms"]}, {"reviewers": ["eve@company.com"]}, {"verified_at": "2026-11-21T04:00:00Z"})),
        json.dumps({**NEW, **GRANT}).replace('"terms"', '"\\u0074erms"'),
        json.dumps({**NEW, **GRANT}).replace('"terms":', '"terms"\n:'),
        json.dumps({**NEW, **GRANT}, separators=(",", ":")),
        json.dumps({"purpose": 'x", "y', **NEW, **MADE}),
        {"history": [{"at": "2026-11-21T04:00:00Z", "by": "boss", "from": "pending", "to": "pending", "policy": "sha256:0"}]},
    ],
)
def test_a_submitter_cannot_write_more_than_a_wish(house: House, details: Any) -> None:
    assert "this account may submit requests that are pending" in house.forged(details)


def test_a_submitter_cannot_write_another_state_in_any_place(house: House) -> None:
    assert "may submit" in house.forged(NEW, state="approved") and "may submit" in house.forged(NEW, api_key="c2st")
    assert "may submit" in house.forged(NEW, state="approved", prefix="called-otherwise-")
    request_id = house.ask("mallory")
    approved = {"labels": {"request-state": "approved"}, "annotations": {"state": "approved"}}
    assert "may submit" in house.patch("submitter", request_id, metadata=approved)
    assert "may submit" in house.patch("submitter", request_id, data=encoded({"state": "approved"}))
    assert "may submit" in house.patch("submitter", request_id, data=encoded({"details": json.dumps({**house.details(request_id), **GRANT})}))
    assert "may submit" in house.patch("submitter", request_id, metadata={"labels": {"app.kubernetes.io/component": None}})
    other = {"metadata": {"generateName": "not-a-request-"}}
    assert house.write("submitter", "POST", "", other) == "", "other Secrets are none of the policy's business"
    assert "may submit" in house.forged(NEW, name=str(uuid.uuid4())), "a second request of a person for the same"
    assert house.forged({"purpose": 'harmless, "terms": {}', **NEW}) == "", "and a wish that only looks like it is taken"


PEOPLE = ("eve@company.com", "Eve@Company.com", "mallory@company.com", "ve@company.com", "eve@company.com~")


def test_people_who_write_themselves_ask_and_withdraw_in_their_own_name_only(kube: Cluster, house: House) -> None:
    secrets = next(rule for rule in RIGHTS["submitter"] if rule["resources"] == ["secrets"])
    role = {"metadata": {"name": "people"}, "rules": [secrets]}
    base = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{house.namespace}"
    kube.call("POST", f"{base}/roles", role)
    subjects = [{"kind": "User", "name": name, "apiGroup": "rbac.authorization.k8s.io"} for name in PEOPLE]
    reference = {"kind": "Role", "name": "people", "apiGroup": "rbac.authorization.k8s.io"}
    kube.call("POST", f"{base}/rolebindings", {"metadata": {"name": "people"}, "roleRef": reference, "subjects": subjects})
    eve, also_eve, *others = PEOPLE
    request_id = records.request_id(eve, ["gpt-5"], "")
    wish = {"name": request_id, "model": "gpt-5"}
    settled(lambda: "may ask and withdraw in its own name only" in house.forged(NEW, **wish, who=others[0]))
    for other in others:
        assert "in its own name only" in house.forged(NEW, **wish, who=other) and "in its own name only" in house.forged(NEW, **wish, who=eve, email=other)
    assert house.forged(NEW, **wish, who=eve, state="approved") and house.forged({**NEW, **GRANT}, **wish, who=eve), "and nothing more than a wish"
    assert house.forged(NEW, **wish, who=also_eve) == ""
    text = json.dumps({"cancelled": True, **NEW, "history": [*NEW["history"], {**NEW["history"][0], "from": "pending", "to": "denied"}]})
    gone = {"metadata": WITHDRAWN, "data": encoded({"state": "denied", "details": text})}
    for other in others:
        for body in (gone, {**gone, "data": {**gone["data"], **encoded({"email": other})}}, {"metadata": {"annotations": {"email": other}}}):
            assert "denied request" in house.write(other, "PATCH", f"/llm-key-request-{request_id}", body)
    assert house.write(eve, "PATCH", f"/llm-key-request-{request_id}", gone) == ""


WITHDRAWN = {"labels": {"request-state": "denied"}, "annotations": {"state": "denied"}}
WAITING = {"labels": {"request-state": "pending", "request-finished": None}, "annotations": {"state": "pending"}}


@pytest.mark.parametrize(
    "more",
    [
        {"cancelled": True, **GRANT},
        {"cancelled": True, "granted": GRANT["terms"]},
        {"format": 9, "of_tomorrow": {"cancelled": True}, "reason": "Ask at http://evil.example"},
        {"reason": "Ask at http://evil.example", "history": [{**NEW["history"][0], "former_trace": [{"cancelled": True}]}]},
    ],
)
def test_a_submitter_who_withdraws_leaves_nothing_for_a_decision_to_start_from(house: House, unique: str, more: Mapping[str, Any]) -> None:
    request_id = house.ask(f"planter-{unique}")
    record = house.details(request_id)
    text = json.dumps({**record, **more, "history": [*more.get("history", record["history"]), {**NEW["history"][0], "from": "pending", "to": "denied"}]})
    assert "may submit" in house.patch("submitter", request_id, metadata=WITHDRAWN, data=encoded({"state": "denied", "details": text}))
    twice = text.replace('"cancelled": true', '"cancelled": true, "cancelled": false')
    assert "may submit" in house.patch("submitter", request_id, metadata=WITHDRAWN, data=encoded({"state": "denied", "details": twice}))


def test_a_submitter_asks_again_when_the_time_of_the_key_is_over(house: House, unique: str) -> None:
    """No `notices` have run, and the module itself notes that the key has ended."""
    request_id = house.ask(f"ada-{unique}")
    house.call("decider", request_id=request_id, state="approved")
    at = "2026-11-21T04:00:00Z"
    made = {"minted_at": at, "key_alias": "request-of-ada", "expires": "2026-11-21T05:00:00Z", "delivered": {"mail": at}, "finished_at": at}
    text = json.dumps({**house.details(request_id), "progress": made})
    assert house.patch("worker", request_id, metadata={"labels": {"request-finished": "approved"}}, data=encoded({"details": text})) == ""
    assert "may submit" in house.patch(
        "submitter", request_id, metadata=WAITING, data=encoded({"state": "pending", "details": json.dumps({**NEW, "progress": {"ended_at": at}})})
    )
    assert house.ask(f"ada-{unique}") == request_id
    (kept,) = [step["former_key"] for step in house.details(request_id)["history"] if "former_key" in step]
    assert kept["key_alias"] == "request-of-ada" and kept["ended_at"] > made["expires"]


def test_a_submitter_withdraws_and_asks_again_for_what_a_newer_release_has_written(house: House, unique: str) -> None:
    request_id = house.ask(f"ada-{unique}")
    text = json.dumps(as_newer_release(house.details(request_id)))
    assert house.patch("worker", request_id, data=encoded({"details": text})) == ""
    for state in ("cancelled", "submitted"):
        done = house.call("submitter", state=state, email=f"ada-{unique}@company.com", package="dev")
        assert not done.get("failed"), done["msg"]
    record = house.details(request_id)
    assert set(PARTS) - {"failure"} <= parts_kept(record)
    assert [step["to"] for step in record["history"]] == ["pending", "denied", "pending"] and set(record["history"][1]) >= {"former_terms", "former_progress"}


def test_a_submitter_cannot_write_what_no_pass_can_answer(house: House, unique: str) -> None:
    secret = house.secret(house.ask(f"stone-{unique}"))
    kept = {name: secret["metadata"][name] for name in ("labels", "annotations")}
    body = {"metadata": {"name": f"llm-key-request-{uuid.uuid5(uuid.NAMESPACE_URL, unique)}", **kept}, "data": secret["data"], "immutable": True}
    assert "could never be answered" in house.write("submitter", "POST", "", body)
    assert house.patch("submitter", str(secret["metadata"]["name"]).removeprefix("llm-key-request-"), immutable=True)


def test_a_request_that_cannot_be_changed_is_a_failure_of_its_own(house: House, unique: str) -> None:
    stone, other = (house.ask(f"{name}-{unique}") for name in ("stone", "other"))
    assert house.patch("worker", stone, immutable=True) == ""
    store = KubernetesStore(Access(kubeconfig=str(house.accounts["worker"].kubeconfig)))
    failed = partial(transitions.mark_failed, at="2026-11-21T04:00:00Z", step="mint", reason="not now")
    outcomes = store.transition_all([(store.get(each), failed) for each in (stone, other)])
    assert isinstance(outcomes[0].error, StoreRejected) and "immutable" in str(outcomes[0].error)
    assert outcomes[1].transition is not None and outcomes[1].transition.changed
    house.kube.kubectl("delete", "secret", f"llm-key-request-{stone}", namespace=house.namespace)


def test_a_decider_cannot_say_that_a_key_was_made_or_that_somebody_else_asked(house: House) -> None:
    request_id = house.ask("carol")
    house.call("decider", request_id=request_id, state="approved")
    record = house.details(request_id)
    for text in (json.dumps({**record, **MADE}), json.dumps({**record, **MADE}).replace("key_alias", "key\\u005falias")):
        assert "only passes say that a key was made" in house.patch("decider", request_id, data=encoded({"details": text}))
    assert "who asks for what cannot be changed" in house.patch("decider", request_id, data=encoded({"email": "eve@company.com"}))
    assert house.patch("decider", request_id, data=encoded({"details": json.dumps({**record, "reason": "Yes."})})) == ""
    work = {"metadata": {"labels": {"request-finished": "approved"}}, "data": encoded({"details": json.dumps({**record, **MADE})})}
    assert house.patch("worker", request_id, **work) == "", "passes may"
    kept = house.details(request_id)
    assert "only passes" in house.patch("decider", request_id, data=encoded({"details": json.dumps(kept).replace("somebody-else", "me")}))
    assert house.patch("decider", request_id, data=encoded({"details": json.dumps({**kept, "reason": "No change of the key."})})) == ""


@pytest.mark.parametrize("who", WHO)
def test_one_right_less_and_the_job_cannot_be_done(house: House, who: str) -> None:
    for rule in RIGHTS[who]:
        for verb in rule["verbs"]:
            fewer = [{**other, "verbs": [each for each in other["verbs"] if other is not rule or each != verb]} for other in RIGHTS[who]]
            poor = house.kube.account_with_rules(house.namespace, [each for each in fewer if each["verbs"]])
            weaker = House(house.kube, house.namespace, house.keys, {**house.accounts, who: poor})
            failed = [result for result in job(weaker, who, f"{who}-{verb}") if result.get("failed")]
            assert failed, f"{who} can do its job without {verb}"
    assert not [result for result in job(house, who, f"{who}-all") if result.get("failed")]


def job(house: House, who: str, name: str) -> list[dict[str, Any]]:
    """Return the results of all that one of the accounts has to do."""
    person = {"email": f"{name}@company.com", "package": "dev"}
    if who == "portal":
        prepare_insight(KubernetesStore(Access(kubeconfig=str(house.accounts["worker"].kubeconfig))))
        return [serve(house.accounts["portal"], person["email"])]
    if who == "submitter":
        return [house.call("submitter", **person, state=state) for state in ("submitted", "cancelled", "submitted")]
    house.kube.kubectl("delete", "lease", "--all", namespace=house.namespace)  # whoever comes first makes it
    submitter = house.kube.existing_account(house.namespace, "key-requests-submitter")
    request_id = House(house.kube, house.namespace, house.keys, {"submitter": submitter}).ask(name, package=name)
    if who == "custodian":
        decider = house.kube.existing_account(house.namespace, "key-requests-decider")
        other = House(house.kube, house.namespace, house.keys, {"submitter": submitter, "decider": decider})
        other.call("decider", request_id=other.ask(f"other-{name}"), state="denied", reason="No.", actor=person["email"])
        pruned = house.call("custodian", "key_request_retention", prune={"denied": "30d"}, wait=1)
        return [pruned, house.call("custodian", "key_request_retention", erase=person["email"], wait=1)]
    if who == "worker":
        return [work_on(house.accounts["worker"], request_id)]
    approved = house.call("decider", request_id=request_id, state="approved")
    return [approved, house.call("decider", "key_request_info", filter="approved"), house.call("decider", request_id=request_id, state="denied", reason="no")]


def serve(account: Account, email: str) -> dict[str, Any]:
    """Do what the portal does: ask for a person whose address is proven, list, decide, and read what passes tell."""
    store = KubernetesStore(Access(kubeconfig=str(account.kubeconfig)))
    people = Desk(store)
    try:
        made = people.ask(Wish(email, package="dev", origin="portal", verified_at="2026-11-21T04:00:00Z")).after
        assert made is not None and made.verified_at and made.id in {record.id for record in people.list_requests("pending").records}
        people.cancel(made.id)
        people.ask(Wish(email, package="dev", origin="portal", verified_at="2026-11-21T05:00:00Z"))
        people.approve(made.id, by="admin", granted={"duration": "1d"})
        people.ask(Wish(email, package="prod", origin="portal"))
        proven = people.ask(Wish(email, package="prod", origin="portal", verified_at="2026-11-21T06:00:00Z")).after
        assert proven is not None and store.get(proven.id).verified_at
        assert box_of_request(store, made.id, now()) is None
        store.last_pass()
        published_catalogue(store)
        want_insight(store, [made.id], now())
    except StoreError as error:
        return {"failed": True, "msg": str(error)}
    return {}


def work_on(account: Account, request_id: str) -> dict[str, Any]:
    """Do what a pass does: take its turn, read the queue, change a request that somebody else has changed meanwhile, and seal its key."""
    store = KubernetesStore(Access(kubeconfig=str(account.kubeconfig)))
    failed = partial(transitions.mark_failed, at="2026-11-21T04:00:00Z", step="mint", reason="not now")
    try:
        with store.turn(5) as turn:
            (stale,) = (record for record in store.listing(only_open=True).records if record.id == request_id)
            for _twice in range(2):
                store.transition(stale, failed)
            at = "2026-11-21T04:00:00Z"
            box = SealedBox(new_box_id(request_id), stale.email, at, at, proof_digest=proof_digest("proof"), contents="AAAA")
            store.boxes.put(box)
            assert store.boxes.empty(next(each for each in store.boxes.listing(only_full=True).boxes if each == box))
            turn.report({})
    except StoreError as error:
        return {"failed": True, "msg": str(error)}
    return {}


def test_without_the_policy_a_submitter_could_approve(kube: Cluster, namespace: str) -> None:
    """What the guide says of RBAC alone."""
    account = kube.account_with_rules(namespace, RIGHTS["submitter"])
    reach = {"store": "kubernetes", "kubeconfig": str(account.kubeconfig)}
    request_id = call_module("key_request", {**reach, "email": "eve@company.com", "package": "dev"})["request"]["request_id"]
    assert call_module("key_request", {**reach, "request_id": request_id, "state": "approved"})["request"]["state"] == "approved"


def test_everything_can_be_taken_away(kube: Cluster, namespace: str, playbook: Playbooks, tmp_path: Path) -> None:
    play = tmp_path / "play.yml"
    play.write_text(yaml.safe_dump(GIVE_RIGHTS), encoding="utf-8")
    variables = {"key_requests_namespace": namespace, "key_requests_kubernetes_connection": {"kubeconfig": str(kube.admin.kubeconfig)}}
    playbook(play, variables)
    playbook(play, {**variables, "key_requests_kubernetes_state": "absent"})
    left = kube.kubectl("get", "serviceaccounts,roles,rolebindings,validatingadmissionpolicies", "-o", "name", namespace=namespace)
    assert not [name for name in left.split() if "key-requests-" in name or namespace in name]
    with pytest.raises(AssertionError, match="Name the namespace of the requests"):
        playbook(play)
    with pytest.raises(subprocess.CalledProcessError):
        kube.kubectl("get", "validatingadmissionpolicy", f"key-requests.{namespace}")


def grown(house: House, name: str, entries: int) -> str:
    """Return the id of a request with a history of so many entries of 1 kB."""
    request_id = house.ask(name)
    record = house.details(request_id)
    first = record["history"][0]
    record["history"] = [first, *[{**first, "from": "pending", "reason": "x" * 900}] * entries]
    assert house.patch("worker", request_id, data=encoded({"details": json.dumps(record)})) == ""
    return request_id


def test_a_long_history_can_be_read_and_one_beyond_is_refused(house: House) -> None:
    request_id = grown(house, "old-hand", 60)
    assert house.call("decider", request_id=request_id, state="denied", reason="Enough.")["request"]["state"] == "denied"
    kept = house.details(request_id)
    assert "only passes" in house.patch("decider", request_id, data=encoded({"details": json.dumps({**kept, **MADE})}))
    request_id = grown(house, "oldest-hand", 110)
    house.refused("decider", "larger than the policy for this account can read", request_id=request_id, state="approved")
    assert house.call("custodian", request_id=request_id, state="denied", reason="Enough.")["request"]["state"] == "denied"
