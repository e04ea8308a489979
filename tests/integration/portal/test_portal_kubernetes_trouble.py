# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""A real Kubernetes API behind something that hangs, refuses and talks nonsense: the portal and passes say so in time, and go on by themselves."""

from __future__ import annotations

import itertools
import ssl
import time
from collections.abc import Iterator

import pytest
import requests
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import Desk, Wish
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import Missing, StoreError
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.kubernetes_secrets import Access, KubernetesStore
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass.interval import make_passes
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.kubernetes.cluster import PASS_RULES, Account, Cluster
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.faulty_proxy import FaultyProxy, Harm
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import IN_COLD_RUNS
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.portal import ADMIN, PortalFactory, eventually

ANSWER_SECONDS, STORE_SECONDS = 4, 1
BOUND = ANSWER_SECONDS + 8
"""Seconds in which a call is answered, also on a busy machine."""
NONSENSE = (
    {},
    [],
    7,
    {"metadata": {}, "items": 7},
    {"metadata": {}, "items": [{}]},
    {"metadata": {"name": "x", "resourceVersion": "1"}, "data": 3},
    {"metadata": {"name": "x", "resourceVersion": "1", "annotations": []}},
    {"metadata": {"name": "x"}, "items": [{"metadata": {"name": "x"}}]},
    b"<html>Sign in to the network</html>",
    b"[" * 100_000,
)
TROUBLES = {
    "hangs": Harm("delay", seconds=60),
    "drops": Harm("refuse"),
    "loses": Harm("lose"),
    "cuts": Harm("cut"),
    "forbids": Harm("answer", status=403, body={"kind": "Status", "reason": "Forbidden", "message": "no", "details": []}),
    "forbids as a page": Harm("answer", status=403, body=b"<html>Forbidden</html>"),
    "finds nothing": Harm("answer", status=404, body=b"<html>Not here</html>"),
    "redirects": Harm("answer", status=302, body=b"", headers={"location": "/elsewhere"}),
    "fails": Harm("answer", status=500, body=b"oops"),
    **{f"nonsense {number}": Harm("answer", status=200, body=body) for number, body in enumerate(NONSENSE)},
}

QUICK = ("hangs", "forbids as a page", "nonsense 4")
SLOW = tuple(name for name in TROUBLES if name not in QUICK)


@pytest.fixture
def account(kube: Cluster, namespace: str) -> Account:
    return kube.account_with_rules(namespace, PASS_RULES)


@pytest.fixture
def proxy(kube: Cluster) -> Iterator[FaultyProxy]:
    with FaultyProxy(kube.server, trust=ssl.create_default_context(cafile=str(kube.ca_file))) as running:
        yield running


def store_behind(proxy: FaultyProxy, account: Account, timeout: float = 5) -> KubernetesStore:
    return KubernetesStore(Access(host=proxy.url, api_key=account.token, namespace=account.namespace, timeout=timeout))


@pytest.mark.parametrize("names", [QUICK, pytest.param(SLOW, marks=IN_COLD_RUNS)], ids=["quick", "slow"])
def test_the_portal(names: tuple[str, ...], run_portal: PortalFactory, proxy: FaultyProxy, account: Account) -> None:
    portal = run_portal(
        PORTAL_STORE="kubernetes",
        K8S_AUTH_HOST=proxy.url,
        K8S_AUTH_API_KEY=account.token,
        KUBERNETES_NAMESPACE=account.namespace,
        PORTAL_LISTING_SECONDS="0",
        PORTAL_STORE_TIMEOUT=str(STORE_SECONDS),
        PORTAL_ANSWER_SECONDS=str(ANSWER_SECONDS),
    )
    request_id = portal.ask("ada@company.com")
    as_a_page = {"Accept": "text/html", "Accept-Language": "de"}
    for name in names:
        proxy.harms = [TROUBLES[name]]
        for path, headers in (("/api/v1/admin/requests", {}), (f"/api/v1/admin/requests/{request_id}", {}), ("/admin", as_a_page), ("/ask", as_a_page)):
            began = time.monotonic()
            answer = requests.get(portal.url + path, auth=ADMIN, headers=headers, timeout=60)
            assert (answer.status_code, time.monotonic() - began < BOUND) == (200 if path == "/ask" else 503, True), f"{name}, {path}: {answer.text[:500]}"
            assert ('lang="de"' in answer.text) == bool(headers), name
        health = eventually(lambda: requests.get(f"{portal.url}/health", timeout=60).status_code == 503, BOUND)
        assert health, name
        asked = requests.post(f"{portal.url}/api/request-key", json={"llm": "granite", "email": "bob@company.com"}, timeout=60)
        assert asked.status_code == 503 or asked.json()["success"] is False, name
        proxy.harms = []
        eventually(lambda: requests.get(f"{portal.url}/api/v1/admin/requests/{request_id}", auth=ADMIN, timeout=60).status_code == 200, BOUND)
        eventually(lambda: requests.get(f"{portal.url}/api/v1/admin/requests", auth=ADMIN, timeout=60).status_code == 200, BOUND)
        eventually(lambda: requests.get(f"{portal.url}/health", timeout=60).status_code == 200, BOUND)
    assert "Traceback" not in portal.log.read_text() and "Internal server error" not in portal.log.read_text()


def test_passes(proxy: FaultyProxy, account: Account) -> None:
    """What a pass does with the store fails with an error of the store, with which the worker goes on to the next pass."""
    store = store_behind(proxy, account, 0.2)
    request = Desk(store).ask(Wish("ada@company.com", models=("granite",))).after
    assert request is not None
    for name, harm in TROUBLES.items():
        proxy.harms = [harm]
        failed, went_on = two_passes(store, proxy, request.id, name)
        assert isinstance(failed, StoreError) and not isinstance(failed, Missing), f"{name}: {failed!r}"
        assert went_on == name and store.last_pass() == {"of": name}


def two_passes(store: KubernetesStore, proxy: FaultyProxy, request_id: str, name: str) -> list[object]:
    """Let the worker's loop make two passes, and end the trouble after the first; return what it shows of both."""
    shown: list[object] = []

    def one_pass() -> str:
        with store.turn(0.1) as turn:
            assert [record.id for record in store.listing(only_open=True).records] == [request_id]
            turn.report({"of": name})
        return name

    def pause(_seconds: float) -> None:
        proxy.harms = []
        if len(shown) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_passes(one_pass, 3600, None, shown.append, mark=itertools.count().__next__, sleep=pause)  # type: ignore[arg-type]
    return shown
