# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The ways in which a pass delivers a key, under the names by which requests note them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..delivery import KUBERNETES_SECRET, MAIL, SEALED, DeliverySettings, plan_deliveries

ANNOUNCEMENT = "announcement"
"""A mail that says in which Secret a key is. It is sent where no mail brings the key."""


@dataclass(frozen=True)
class DeliveryWay:
    """One way: a method with its settings. `after` names the way that must have succeeded before, or is empty."""

    name: str
    method: str
    settings: DeliverySettings
    after: str = ""

    def plan(self, keys: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Mapping[str, Any]], dict[str, str]]:
        """Return what to send, and why other keys cannot be delivered, by request."""
        planned = plan_deliveries(keys, self.settings)
        parcels = {parcel["request_id"]: parcel["contents"] for parcel in planned[self.method]}
        return parcels, {problem["request_id"]: problem["reason"] for problem in planned["problems"] if problem["method"] == self.method}


def ways_of(delivery: DeliverySettings, *, announces: bool) -> list[DeliveryWay]:
    """Return the ways of these settings, Secrets first. `announces`: the owners of keys in Secrets are told so by mail."""
    ways = []
    if KUBERNETES_SECRET in delivery.methods:
        ways.append(DeliveryWay(KUBERNETES_SECRET, KUBERNETES_SECRET, replace(delivery, methods=[KUBERNETES_SECRET])))
    if SEALED in delivery.methods:
        ways.append(DeliveryWay(SEALED, SEALED, delivery, after=KUBERNETES_SECRET if ways else ""))
    elif MAIL in delivery.methods:
        ways.append(DeliveryWay(MAIL, MAIL, delivery, after=KUBERNETES_SECRET if delivery.mails_name_secret else ""))
    elif ways and announces:
        settings = replace(delivery, methods=[KUBERNETES_SECRET, MAIL], mail_include_value=False)
        ways.append(DeliveryWay(ANNOUNCEMENT, MAIL, settings, after=KUBERNETES_SECRET))
    return ways
