# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Sealed boxes as Secrets beside the requests in a namespace of Kubernetes: `llm-key-box-<id of the request>`.

Whoever opens boxes needs the verbs get and patch on secrets, passes get, list, create and patch. Removing them with their requests
takes delete.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from .box_keeper import BoxKeeper, BoxListing
from .errors import BoxMissing, Broken, Exists, Missing
from .sealed_box import BOX_COMPONENT, BOX_PREFIX, BOX_STATE_LABEL, EMPTY, FULL, SealedBox, box_data, box_from_data
from .secret import COMPONENT, MANAGED_BY, MANAGED_BY_VALUE
from .text import clip


class KubernetesBoxes(BoxKeeper):
    """The boxes of a namespace."""

    def __init__(self, call: Callable[..., Any], listed: Callable[[str], list[dict[str, Any]]], api: Any, namespace: str, *, check_mode: bool = False) -> None:
        """`call` makes a call of the `api` and raises StoreError, `listed` returns the Secrets that a label selects."""
        super().__init__(check_mode=check_mode)
        self._call = call
        self._listed = listed
        self._api = api
        self._namespace = namespace

    def listing(self, *, only_full: bool = False) -> BoxListing:
        found: list[SealedBox] = []
        unreadable: list[tuple[str, str]] = []
        for item in self._listed(f"{COMPONENT}={BOX_COMPONENT}" + (f",{BOX_STATE_LABEL}={FULL}" if only_full else "")):
            try:
                box = self._load(item)
            except Broken as error:
                unreadable.append((item["metadata"]["name"], str(error)))
                continue
            if box.contents or not only_full:
                found.append(box)
        return BoxListing(tuple(found), tuple(unreadable))

    def _read(self, request_id: str) -> SealedBox | None:
        try:
            return self._load(self._call("get", self._api.read_namespaced_secret, BOX_PREFIX + request_id, self._namespace))
        except Missing:
            return None

    def _put(self, box: SealedBox) -> None:
        body = _secret(box)
        new = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", **body, "data": {name: value for name, value in body["data"].items() if value}}
        try:
            self._call("create", self._api.create_namespaced_secret, self._namespace, new, field_manager=MANAGED_BY_VALUE)
        except Exists:  # the former box of the request, or the new one, if the answer of this call was lost
            self._patch(body)

    def _replace(self, box: SealedBox) -> None:
        body = _secret(box)
        body["metadata"]["resourceVersion"] = box.version
        try:
            self._patch(body)
        except Missing:
            raise BoxMissing("The box was removed by somebody else.") from None

    def _remove(self, request_id: str) -> None:
        with suppress(Missing):
            self._call("delete", self._api.delete_namespaced_secret, BOX_PREFIX + request_id, self._namespace)

    def _patch(self, body: Mapping[str, Any]) -> None:
        self._call("patch", self._api.patch_namespaced_secret, body["metadata"]["name"], self._namespace, body, field_manager=MANAGED_BY_VALUE)

    def _load(self, item: Mapping[str, Any]) -> SealedBox:
        name = item["metadata"]["name"]
        try:
            box = box_from_data(item.get("data") or {}, item["metadata"]["resourceVersion"])
            if BOX_PREFIX + box.request_id != name:
                raise ValueError("its id is not that of the request after which the Secret is called.")
        except (ValueError, RecursionError, OverflowError) as error:
            raise Broken(f"Secret {name} in the namespace {self._namespace} cannot be read as a sealed box ({clip(str(error), 200)}); remove it.") from None
        return box


def _secret(box: SealedBox) -> dict[str, Any]:
    """Return the merge patch that makes the Secret hold the box."""
    labels = {COMPONENT: BOX_COMPONENT, MANAGED_BY: MANAGED_BY_VALUE, BOX_STATE_LABEL: FULL if box.contents else EMPTY}
    return {"metadata": {"name": BOX_PREFIX + box.request_id, "labels": labels}, "data": box_data(box)}
