# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What the role litellm_gateway finds in a Kubernetes namespace. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from .kubernetes_objects import sort_objects, texts_of_secret

SECRET_KEYS = {"master_key": "LITELLM_MASTER_KEY", "salt_key": "LITELLM_SALT_KEY"}


def gateway_objects(results: Iterable[Mapping[str, Any]], label: str, unwanted_kinds: Collection[str]) -> dict[str, Any]:
    """Sort the objects that bear the gateway's name, by the names that the filter gateway_objects documents.

    `results` are those of kubernetes.core.k8s_info. Objects with the label `label` were made by the role.
    """
    found = sort_objects(results, label, lambda resource: resource["kind"] not in unwanted_kinds)
    pods = [resource["spec"]["template"]["spec"] for resource in found.own if resource["kind"] == "Deployment"]
    images = [container["image"] for pod in pods for container in pod["containers"]]
    return {
        "own": found.own,
        "unwanted": found.unwanted,
        "foreign_kinds": list(dict.fromkeys(resource["kind"] for resource in found.foreign)),
        "image": images[0] if images else "",
        **texts_of_secret(found.own, SECRET_KEYS),
    }
