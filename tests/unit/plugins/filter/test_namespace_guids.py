# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.plugins.filter.namespace_guids import namespace_guids


def namespace(name: str, labels: dict[str, str] | None) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels}}


def test_a_lab_with_several_namespaces_counts_once() -> None:
    namespaces = [namespace("b-1", {"lab": "b"}), namespace("a-1", {"lab": "a", "guid": "x"}), namespace("b-2", {"lab": "b"})]
    assert namespace_guids(namespaces, "lab") == {"guids": ["b", "a"], "without_label": []}


def test_namespaces_without_the_label_are_named() -> None:
    namespaces = [namespace("one", {"lab": "a"}), namespace("two", {"lab.example.com": "b"}), namespace("three", None), {"metadata": {"name": "four"}}]
    assert namespace_guids(namespaces, "lab") == {"guids": ["a"], "without_label": ["two", "three", "four"]}
    assert namespace_guids([], "lab") == {"guids": [], "without_label": []}
