# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Requests as a newer release writes them: with a field of its own in each of their objects, which this release does not know."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

FORMAT = 99
PERSON = "ada@example.com"
"""The address that stands in each of these fields."""
PARTS = ("document", "terms", "granted", "review", "progress", "delivered", "failure", "history", "history_terms", "former_key")


def _added(part: str) -> dict[str, Any]:
    return {f"new_{part}": {"mark": f"mark-{part}", "asked by": [f"{PERSON}, who knows"], "deep": {"n": [1, None, {"x": True}]}}}


def as_newer_release(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with a field more in every object that it has, and in the terms, the grant, the review and the progress."""
    newer = {**document, "format": FORMAT, **_added("document")}
    for part in ("terms", "granted", "review"):
        newer[part] = {**document.get(part, {}), **_added(part)}
    progress = document.get("progress", {})
    newer["progress"] = {**progress, **_added("progress"), "delivered": {**progress.get("delivered", {}), **_added("delivered")}}
    if "failure" in progress:
        newer["progress"]["failure"] = {**progress["failure"], **_added("failure")}
    first, *rest = document["history"]
    parts = {"terms": {**first.get("terms", {}), **_added("history_terms")}, "former_key": {**first.get("former_key", {}), **_added("former_key")}}
    newer["history"] = [{**first, **_added("history"), **parts}, *rest]
    return newer


def parts_kept(document: Mapping[str, Any]) -> set[str]:
    """Return the parts whose field is in the document, whole and once."""
    text = json.dumps(document)
    return {part for part in PARTS if text.count(json.dumps(_added(part))[1:-1]) == 1}
