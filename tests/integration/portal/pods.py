# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""What the tests of pods share: two namespaces, the rights that the role gives there, and the objects in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.kubernetes.cluster import Account, Cluster

NAME, WORKER = "litellm-key-portal", "litellm-key-portal-worker"
ADMIN = "litellm-key-portal-admin"
IMAGE = "registry.example.com/litellm-virtual-keys:2.0.0"
KINDS = {
    "secrets": "/api/v1",
    "configmaps": "/api/v1",
    "services": "/api/v1",
    "serviceaccounts": "/api/v1",
    "deployments": "/apis/apps/v1",
    "poddisruptionbudgets": "/apis/policy/v1",
    "ingresses": "/apis/networking.k8s.io/v1",
    "networkpolicies": "/apis/networking.k8s.io/v1",
}
GIVE_RIGHTS = [
    {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
        "tasks": [{"ansible.builtin.include_role": {"name": "rhpds.litellm_virtual_keys.key_portal", "tasks_from": "kubernetes_rbac"}}],
    }
]


class House:
    """A namespace for pods and one for requests, with the accounts of `kubernetes_rbac`, as whose admin the role runs."""

    def __init__(self, kube: Cluster, playbook: Playbooks, folder: Path) -> None:
        self.kube, self.playbook = kube, playbook
        self.namespace, self.requests = kube.namespace("keys"), kube.namespace("requests")
        labels = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
        kube.call("PATCH", f"/api/v1/namespaces/{self.namespace}", labels, kind="application/merge-patch+json")
        self._play = folder / "rights.yml"
        self._play.write_text(yaml.safe_dump(GIVE_RIGHTS), encoding="utf-8")
        assert self.give_rights() == 2
        self.variables: dict[str, Any] = {
            "key_portal_mode": "kubernetes",
            "key_portal_image": IMAGE,
            "key_portal_kubernetes_connection": {"kubeconfig": str(self.account(ADMIN).kubeconfig)},
            "key_portal_kubernetes_namespace": self.namespace,
            "key_portal_kubernetes_requests_namespace": self.requests,
            "key_portal_kubernetes_wait": False,  # no pod ever runs here
        }

    def give_rights(self, **more: Any) -> int:
        """Run the entry point `kubernetes_rbac` as the administrator of the cluster, and return how many tasks changed something."""
        variables = {
            "key_portal_kubernetes_namespace": self.namespace,
            "key_portal_kubernetes_requests_namespace": self.requests,
            "key_portal_kubernetes_connection": {"kubeconfig": str(self.kube.admin.kubeconfig)},
        }
        return self.playbook(self._play, {**variables, **more}).changed

    def account(self, name: str) -> Account:
        """Return a service account of the pods' namespace, with a new token."""
        return self.kube.existing_account(self.namespace, name)


def objects_of(kube: Cluster, namespace: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the objects of the portal and its worker, by the plural of their kind and their name."""
    return {
        (kind, each["metadata"]["name"]): each
        for kind, group in KINDS.items()
        for each in kube.call("GET", f"{group}/namespaces/{namespace}/{kind}")["items"]
        if each["metadata"]["name"] in (NAME, WORKER)
    }
