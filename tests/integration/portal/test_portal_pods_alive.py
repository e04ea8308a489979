# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Portal and worker of the mode kubernetes as processes, with the tokens, variables and files that their pods have, and one request's whole life."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.portal.pods import NAME, WORKER, House
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.kubernetes.cluster import Cluster
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.kubernetes.pod import PodProcess
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import MOCK_MODELS, Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.portal import PortalProcess, eventually
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.portal_visitor import PortalVisitor, key_links, link_to
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.smtp import Server, SmtpFactory


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _each in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Pods:
    """Two portals and one worker of a Deployment each, as processes."""

    def __init__(self, kube: Cluster, house: House, ports: list[int], folder: Path) -> None:
        self.processes = [
            PodProcess(kube, house.namespace, NAME, folder / f"portal-{port}", {"PORTAL_HOST": "127.0.0.1", "PORTAL_PORT": str(port)}) for port in ports
        ]
        self.worker = PodProcess(kube, house.namespace, WORKER, folder / "worker", {})
        self.portals: list[PortalProcess] = []
        for process, port in zip(self.processes, ports, strict=True):
            portal = PortalProcess(process.folder, {})
            portal.url = f"http://127.0.0.1:{port}"
            self.portals.append(portal)

    def start(self) -> None:
        for process in (*self.processes, self.worker):
            process.start()
        for portal, process in zip(self.portals, self.processes, strict=True):
            eventually(lambda url=portal.url: answers(url), 60)
            assert process.is_alive


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/health", timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


@pytest.fixture
def mail(smtp: SmtpFactory) -> Server:
    return smtp(tls="none")


@pytest.fixture
def pods(kube: Cluster, gateway: Gateway, playbook: Playbooks, mail: Server, tmp_path: Path) -> Iterator[Pods]:
    house, ports = House(kube, playbook, tmp_path), free_ports(2)
    variables: dict[str, Any] = {
        **house.variables,
        "gateway": False,
        "litellm_url": gateway.url,
        "litellm_master_key": gateway.master_key,
        "key_portal_public_url": f"http://127.0.0.1:{ports[0]}",
        "key_portal_admin_password": "correct horse battery staple",
        "key_portal_smtp_host": mail.host,
        "key_portal_smtp_port": mail.port,
        "key_portal_smtp_use_tls": "none",
        "key_portal_sealed_delivery": True,
        "key_portal_interval": "1s",
        "portal_worker": {"key_requests_rules": [{"name": "human_review", "config": {"patterns": ["*"], "email": "boss@company.com"}}]},
    }
    playbook("portal", variables)
    found = Pods(kube, house, ports, tmp_path)
    found.start()
    yield found
    for process in (*found.processes, found.worker):
        process.kill()


def test_one_request_lives_its_whole_life(pods: Pods, gateway: Gateway, mail: Server, unique: str) -> None:
    """Each step is another replica's. Nothing but the requests and the secret of the sessions is shared."""
    email = f"ann-{unique}@company.com"
    first, second = pods.portals
    asked = PortalVisitor(first)
    asked.ask(email, what="other", other=MOCK_MODELS[0])
    person, admin = PortalVisitor(second), PortalVisitor(second, "correct horse battery staple")
    person.follow(link_to(mail.mailbox, email))
    (request,) = eventually(lambda: first.call("GET", "/api/admin/requests?filter=all", auth=admin.session.auth))
    eventually(lambda: first.call("GET", f"/api/admin/requests/{request['request_id']}", auth=admin.session.auth)["state"] == "in-review", 60)
    admin.approve(request["request_id"])
    (link,) = eventually(lambda: key_links(mail.mailbox, email), 60)
    assert pods.worker.probe("startupProbe") and pods.worker.probe("livenessProbe")
    document = PortalVisitor(first).open_key(link)
    assert document is not None and gateway.chat(document["key"]).status_code == 200
    assert PortalVisitor(second).open_key(link) is None, "it opens once"
    health = second.call("GET", "/health")
    assert health["status"] == "healthy", health
    assert pods.worker.stop() == 0, "it ends by itself when its pod is to end"
    log = "".join(process.log.read_text() for process in (*pods.processes, pods.worker))
    assert document["key"] not in log and gateway.master_key not in log
