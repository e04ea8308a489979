# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Objects in a namespace of Kubernetes, sorted by who made them, for the roles that make some. Pure."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

KubernetesObject = Mapping[str, Any]


@dataclass(frozen=True)
class SortedObjects:
    """The role's own, those of them that it does not want, and those of others that are in the way of what it wants."""

    own: list[KubernetesObject]
    unwanted: list[KubernetesObject]
    foreign: list[KubernetesObject]


def sort_objects(results: Iterable[Mapping[str, Any]], label: str, is_wanted: Callable[[KubernetesObject], bool]) -> SortedObjects:
    """Sort what kubernetes.core.k8s_info has found. Objects with the label `label` are the role's own."""
    found = [resource for result in results for resource in result.get("resources") or []]
    own = [resource for resource in found if label in (resource["metadata"].get("labels") or {})]
    own_identities = set(map(identity, own))
    return SortedObjects(
        own,
        [resource for resource in own if not is_wanted(resource)],
        [resource for resource in found if is_wanted(resource) and identity(resource) not in own_identities],
    )


def identity(resource: KubernetesObject) -> tuple[str, str]:
    """Return the kind and the name."""
    return resource["kind"], resource["metadata"].get("name", "")


def texts_of_secret(objects: Iterable[KubernetesObject], variables: Mapping[str, str]) -> dict[str, str]:
    """Return the texts that the first Secret with one of the `variables` has under them, by their names here, each empty if there is none."""
    secrets = (resource.get("data") or {} for resource in objects if resource["kind"] == "Secret")
    data = next((each for each in secrets if not set(each).isdisjoint(variables.values())), {})
    return {name: base64.b64decode(data.get(variable, "")).decode() for name, variable in variables.items()}
