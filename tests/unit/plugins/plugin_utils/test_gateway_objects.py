# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The objects that the role litellm_gateway finds in a Kubernetes namespace."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.rhpds.litellm_virtual_keys.plugins.filter.gateway_objects import gateway_objects

LABEL = "litellm-gateway/made-by"


def thing(kind: str, *, own: bool = True, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "llm", "labels": {LABEL: "us"}} if own else {"name": "llm"}, **more}


def results(*things: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"resources": []}, *({"resources": [each]} for each in things)]


def test_nothing_is_found_in_an_empty_namespace() -> None:
    assert gateway_objects(results(), LABEL) == {"own": [], "unwanted": [], "foreign_kinds": [], "image": "", "master_key": "", "salt_key": ""}


def test_objects_are_sorted_by_their_label() -> None:
    service, ingress = thing("Service"), thing("Ingress")
    others = [thing("Secret", own=False), {"kind": "ConfigMap", "metadata": {"labels": None}}, thing("Route", own=False)]
    found = gateway_objects(results(service, ingress, *others), LABEL, ["Ingress", "Route"])
    assert found["own"] == [service, ingress]
    assert found["unwanted"] == [ingress]
    assert found["foreign_kinds"] == ["Secret", "ConfigMap"]  # a Route of another owner is ignored


def test_the_running_image_and_the_keys_are_those_of_the_own_objects() -> None:
    pods = {"template": {"spec": {"containers": [{"image": "litellm:1"}, {"image": "sidecar:2"}]}}}
    data = {"LITELLM_MASTER_KEY": base64.b64encode(b"sk-1").decode(), "LITELLM_SALT_KEY": base64.b64encode(b"salt").decode(), "OTHER": "/w=="}
    found = gateway_objects(results(thing("Deployment", spec=pods), thing("Secret", data=data)), LABEL)
    assert (found["image"], found["master_key"], found["salt_key"]) == ("litellm:1", "sk-1", "salt")
    found = gateway_objects(results(thing("Deployment", own=False, spec=pods), thing("Secret", own=False, data=data)), LABEL)
    assert (found["image"], found["master_key"], found["salt_key"]) == ("", "", "")


def test_a_single_result_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="gateway_objects: the input is not a list"):
        gateway_objects({"resources": []}, LABEL)  # type: ignore[arg-type]
