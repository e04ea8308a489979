# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What the role litellm_gateway finds in a Kubernetes namespace. Pure."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable, Mapping
from typing import Any

SECRET_KEYS = {"master_key": "LITELLM_MASTER_KEY", "salt_key": "LITELLM_SALT_KEY"}


def gateway_objects(results: Iterable[Mapping[str, Any]], label: str, unwanted_kinds: Collection[str]) -> dict[str, Any]:
    """Sort the objects that bear the gateway's name, by the names that the filter gateway_objects documents.

    `results` are those of kubernetes.core.k8s_info. Objects with the label `label` were made by the role.
    """
    found = [resource for result in results for resource in result.get("resources") or []]
    own = [resource for resource in found if label in (resource["metadata"].get("labels") or {})]
    own_kinds = {resource["kind"] for resource in own}
    images = [container["image"] for resource in own if resource["kind"] == "Deployment" for container in resource["spec"]["template"]["spec"]["containers"]]
    return {
        "own": own,
        "unwanted": [resource for resource in own if resource["kind"] in unwanted_kinds],
        "foreign_kinds": [kind for kind in dict.fromkeys(resource["kind"] for resource in found) if kind not in own_kinds.union(unwanted_kinds)],
        "image": images[0] if images else "",
        **_keys(own),
    }


def _keys(own: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the master key and the salt key of the role's own Secret, each empty if there is none."""
    data = next((resource.get("data") or {} for resource in own if resource["kind"] == "Secret"), {})
    return {name: base64.b64decode(data.get(variable, "")).decode() for name, variable in SECRET_KEYS.items()}
