# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Two releases at work on one store: requests that a newer one has written to are decided, served, renewed, pruned and erased."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.requests.desk import MISTRAL, Desk
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.kubernetes.cluster import Cluster
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.newer_release import PARTS, PERSON, as_newer_release, parts_kept
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.smtp import SmtpFactory

ALWAYS = set(PARTS) - {"failure"}


class SharedStore(Desk):
    """A desk whose records are read and written as another program does."""

    def __init__(self, kube: Cluster | None, *arguments: Any, **store: str) -> None:
        super().__init__(*arguments, **store)
        self.kube = kube

    def document(self, request_id: str) -> dict[str, Any]:
        if self.kube is None:
            found: dict[str, Any] = json.loads((self.queue / f"{request_id}.json").read_text())
        else:
            secret = self.kube.kubectl("get", "secret", f"llm-key-request-{request_id}", "-o", "json", namespace=self._store["key_requests_namespace"])
            found = json.loads(base64.b64decode(json.loads(secret)["data"]["details"]))
        return found

    def touched_by_newer_release(self, request_id: str) -> None:
        text = json.dumps(as_newer_release(self.document(request_id)))
        if self.kube is None:
            (self.queue / f"{request_id}.json").write_text(text)
        else:
            patch = json.dumps({"data": {"details": base64.b64encode(text.encode()).decode()}})
            where = self._store["key_requests_namespace"]
            self.kube.kubectl("patch", "secret", f"llm-key-request-{request_id}", "--type=merge", "-p", patch, namespace=where)

    def text(self) -> str:
        """Return all that the store holds, decoded."""
        if self.kube is None:
            return "".join(path.read_text() for path in self.queue.glob("*.json"))
        found = json.loads(self.kube.kubectl("get", "secrets", "-o", "json", namespace=self._store["key_requests_namespace"]))
        data = [value for item in found["items"] for value in item["data"].values()]
        return json.dumps(found) + "".join(base64.b64decode(value).decode() for value in data)


@pytest.fixture(params=["file", "kubernetes"])
def shared(request: pytest.FixtureRequest, gateway: Gateway, playbook: Playbooks, smtp: SmtpFactory, tmp_path: Path) -> SharedStore:
    if request.param == "file":
        return SharedStore(None, gateway, playbook, smtp(tls="starttls"), tmp_path)
    kube, namespace = request.getfixturevalue("kube"), request.getfixturevalue("namespace")
    where = {"key_requests_namespace": namespace, "key_requests_kubeconfig": str(kube.admin.kubeconfig)}
    return SharedStore(kube, gateway, playbook, smtp(tls="starttls"), tmp_path, key_requests_store="kubernetes", **where)


def test_the_whole_life_of_requests_that_a_newer_release_has_written_to(shared: SharedStore, unique: str) -> None:
    ada, rev, eve = (f"{name}-{unique}@{domain}" for name, domain in (("ada", "company.com"), ("rev", "company.com"), ("eve", "evil.com")))
    ids = {ada: shared.ask(ada), eve: shared.ask(eve), rev: shared.ask(rev, model=MISTRAL)}
    gone = shared.ask(PERSON)
    for each in (*ids.values(), gone):
        shared.touched_by_newer_release(each)

    def kept(request_id: str) -> bool:
        return parts_kept(shared.document(request_id)) >= ALWAYS

    shared.process()
    assert {who: shared.request(each)["state"] for who, each in ids.items()} == {ada: "approved", eve: "denied", rev: "in-review"}
    assert all(map(kept, ids.values()))
    shared.act("approve", request_id=ids[rev], duration="2d")
    shared.process()
    shared.served({ada: ids[ada]})
    assert shared.gateway.chat(shared.key_of(rev), MISTRAL).status_code == 200
    assert all(map(kept, ids.values()))

    for playbook in ("extend_request", "renew_request"):
        run = shared.act(playbook, request_id=ids[ada], duration="40d")
        renewal = run.output.partition("Request ")[2].split()[0]
        shared.touched_by_newer_release(renewal) if playbook == "extend_request" else None
        shared.process()
        assert shared.request(renewal)["progress"]["status"] == "finished" and kept(renewal)
    assert kept(ids[ada])

    shared.gateway.post("/key/delete", keys=[row["token"] for row in shared.rows(ids[ada])])
    shared.act("notices")
    assert shared.request(ids[ada])["progress"]["status"] == "ended" and kept(ids[ada])
    shared.act("renew_request", request_id=ids[ada])
    shared.act("cancel_request", request_id=ids[ada])
    assert shared.request(ids[ada])["cancelled"] and kept(ids[ada])
    assert shared.module("key_request_info")["set_aside"] == []

    run = shared.act("erase_person", email=PERSON)
    assert "1 requests were erased, 4 of others named the person" in " ".join(run.output.split())
    assert PERSON not in shared.text() and "mark-terms" in json.dumps(shared.document(ids[rev])), "the rest stays"
    shared.act("erase_person", email=ada)
    assert ada not in shared.text()
    shared.process()
    ages = dict.fromkeys(("denied", "cancelled", "ended", "renewed"), "1s")
    assert "were removed, and 1 that are decided were kept" in " ".join(shared.act("prune_requests", key_requests_retention=ages).output.split())
    assert parts_kept(shared.document(ids[rev])) == set() and shared.gateway.chat(shared.key_of(rev), MISTRAL).status_code == 200
