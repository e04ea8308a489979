# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Keep the Secrets of requested keys as their keys are: one whose key was rotated is written again, one whose key has ended is removed.

The Secrets themselves say which key they hold, so nothing about them is kept with the requests. What fails is tried again
by the next run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from ...module_utils.common.printable import printable
from ..delivery import KUBERNETES_SECRET, DeliverySettings, plan_deliveries
from .ended import History, ended_aliases
from .key_secrets import KeySecret, SecretKeeper, SecretsUnknown
from .post import PostResult


@dataclass
class UpkeepReport:
    """How many Secrets were written again and removed, why others were not, by place, and which keys the gateway does not know."""

    updated: int = 0
    removed: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return what there is to say, a line each."""
        changed = [f"{self.updated} Secrets were updated, {self.removed} were removed."] if self.updated or self.removed else []
        failed = [f"the Secret {place} is not as its key is: {printable(reason, 400)}" for place, reason in self.failures.items()]
        unknown = [f"the gateway knows nothing of the keys in {len(self.unknown)} Secrets, {self.unknown[0]} among them; they stay."] if self.unknown else []
        return changed + failed + unknown


class KeyHolder(History, Protocol):
    """A gateway that returns keys with their values."""

    def in_service(self, aliases: Sequence[str]) -> dict[str, dict[str, Any]]: ...


def find_secrets(keeper: SecretKeeper, delivery: DeliverySettings, report: UpkeepReport) -> list[KeySecret]:
    """Return the Secrets of requests in the namespace of deliveries. If they cannot be listed, the report says why."""
    try:
        return keeper.find(delivery.namespace) if KUBERNETES_SECRET in delivery.methods else []
    except SecretsUnknown as error:
        report.failures[delivery.namespace] = f"the Secrets cannot be listed: {error}"
        return []


def outdated_and_lost(secrets: Sequence[KeySecret], keys: Sequence[Mapping[str, Any]], alive: frozenset[str]) -> tuple[list[KeySecret], list[KeySecret]]:
    """Return the Secrets whose key has another value or another end by now, and those whose alias has no living key.

    `keys` are the gateway's living ones as modules return them, `alive` the aliases that they serve.
    """
    present = {(key["alias"], key["key_id"], key["expires"] or "never") for key in keys}
    served = {key["alias"] for key in keys}
    outdated = [each for each in secrets if each.alias in served and (each.alias, each.key_id, each.expires) not in present]
    return outdated, [each for each in secrets if each.alias not in alive]


def update_secrets(gateway: KeyHolder, keeper: SecretKeeper, outdated: Sequence[KeySecret], delivery: DeliverySettings, report: UpkeepReport) -> None:
    """Write Secrets again with the values that are in service. Raises GatewayError."""
    if not outdated:
        return
    found = gateway.in_service(sorted({secret.alias for secret in outdated}))
    for secret in outdated:
        if secret.alias not in found:
            continue  # its key has ended meanwhile; the next run removes the Secret
        key = {**found[secret.alias], "request_id": secret.request_id, "namespace": secret.namespace, "secret_name": secret.name}
        planned = plan_deliveries([key], replace(delivery, methods=[KUBERNETES_SECRET]))
        problems = [str(problem["reason"]) for problem in planned["problems"]]
        result = PostResult(False, problems[0]) if problems else keeper.apply([planned[KUBERNETES_SECRET][0]["contents"]])[0]
        if result.delivered:
            report.updated += 1
        else:
            report.failures[secret.place] = result.reason


def remove_secrets(
    gateway: History, keeper: SecretKeeper, lost: Sequence[KeySecret], *, own: frozenset[str], now: str, right_gateway: bool, report: UpkeepReport
) -> None:
    """Remove the Secrets whose keys have ended, as far as that is certain. Raises GatewayError.

    `own` are the aliases of the store's requests; what a gateway without a memory no longer lists has ended only among them.
    """
    ended: set[str] = set()
    for ours in (True, False):
        expires = {each.alias: "" if each.expires == "never" else each.expires for each in lost if (each.alias in own) == ours}
        ended |= ended_aliases(gateway, expires, now=now, right_gateway=right_gateway and ours) if expires else set()
    doomed = [each for each in lost if each.alias in ended]
    for secret, result in zip(doomed, keeper.remove(doomed) if doomed else [], strict=True):
        if result.delivered:
            report.removed += 1
        else:
            report.failures[secret.place] = result.reason
    report.unknown = [each.place for each in lost if each.alias not in ended]
