# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What a pass asks of the gateway: its models, its living keys, new keys, and the deletion of keys that nobody may have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ...module_utils.keys.api import KeyApi
from ...module_utils.keys.derive import derivable
from ...module_utils.keys.key import LiveKey
from ...module_utils.keys.lab import Lab, searches_for
from ...module_utils.keys.marks import with_own_generation
from ...module_utils.keys.plan import OnUnrecoverable, Policy
from ...module_utils.keys.reconcile import Reconciler
from ...module_utils.keys.results import KeyOutcome, KeysIncomplete, describe_key
from ...module_utils.keys.revocation import Proof
from ...module_utils.litellm.errors import GatewayError
from ...module_utils.litellm.models import served_models

FEW = 20
"""Up to this many keys are looked up one by one, more of them by a search for what their aliases have in common."""


@dataclass
class Minted:
    """The keys that exist after minting, as the module `virtual_keys` returns them with their values, and why others do not, by alias."""

    keys: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    failures: dict[str, str | Exception] = field(default_factory=dict)


class PassGateway:
    """One gateway, as a pass needs it. Values of keys are derived from `secret`."""

    def __init__(self, api: KeyApi, secret: str, *, proof: Proof, check_mode: bool = False) -> None:
        self._api = api
        self._reconciler = Reconciler(api, secret, check_mode=check_mode)
        self._proof = proof

    @property
    def calls(self) -> int:
        """How many HTTP requests were sent so far."""
        return self._api.client.calls

    def models(self) -> list[str]:
        """Return the names of the models that a request may name. Raises GatewayError."""
        self._api.check_admin()
        return served_models(self._api.client, groups=False)

    def access_groups(self) -> list[str]:
        """Return the names of the model access groups. Raises GatewayError."""
        return sorted(set(served_models(self._api.client)) - set(served_models(self._api.client, groups=False)))

    def living_keys(self) -> list[LiveKey]:
        """Return every key that has not expired, of whomever. Raises GatewayError."""
        self._api.check_admin()
        return self._api.keys(expires="active")

    def keys_with(self, aliases: Sequence[str]) -> dict[str, LiveKey]:
        """Return the keys with these aliases, expired ones as well, without their values. Raises GatewayError."""
        if not aliases:
            return {}
        self._api.check_admin()
        return {row.alias: row for row in self._api.keys_like(*_searches(aliases)) if row.alias in set(aliases)}

    def mint(self, wanted: Mapping[str, Mapping[str, Any]]) -> Minted:
        """Make the keys that `wanted` describes by alias, in the words of `virtual_keys`. A key that exists already is returned as it is."""
        minted, lab, described = Minted(), Lab(), []
        for alias, arguments in wanted.items():
            try:
                described += lab.wanted({"keys": [arguments]}, self._api.now)
            except GatewayError as error:
                return Minted(failures=dict.fromkeys(wanted, error))
            except ValueError as error:
                minted.failures[alias] = str(error)
        if not described:
            return minted
        scope = lab.scope(described)
        scope = replace(scope, searches=_searches(sorted(scope.aliases)))
        try:
            outcome = self._reconciler.apply(described, scope, Policy(), keep_going=True)
        except KeysIncomplete as error:
            outcome = error.outcome
            minted.failures |= dict.fromkeys(scope.aliases, error)
        except (GatewayError, ValueError) as error:
            minted.failures |= dict.fromkeys(scope.aliases, error)
            return minted
        return self._minted(minted, outcome)

    def _minted(self, minted: Minted, outcome: KeyOutcome) -> Minted:
        result = outcome.to_result(reveal=self._reconciler.value_of)
        minted.keys = {key["alias"]: key for key in result["virtual_keys"] if key["action"] != "deleted"}
        minted.failures = {alias: reason for alias, reason in minted.failures.items() if alias not in minted.keys}
        minted.failures |= dict(outcome.left_out)
        return minted

    def in_service(self, aliases: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return the living keys with these aliases as `mint` returns them, without making or changing any. Raises GatewayError.

        One that has expired is left out. One whose value cannot be derived has no `value`.
        """
        if not aliases:
            return {}
        self._api.check_admin()
        now = self._api.client.now()
        found = [with_own_generation(row, self._reconciler.value_of) for row in self._api.keys_like(*_searches(aliases)) if row.alias in set(aliases)]
        return {
            row.alias: {**describe_key(row), **({"value": value} if (value := self._value(row)) else {})}
            for row in found
            if row.in_service and not row.expired(now)
        }

    def _value(self, row: LiveKey) -> str:
        return self._reconciler.value_of(row.served_alias, row.generation) if derivable(row, self._reconciler.value_of) else ""

    def deleted(self, aliases: Sequence[str]) -> set[str] | None:
        """Return which of these aliases a deleted key had; None if the gateway keeps no deleted keys. Raises GatewayError."""
        if not aliases:
            return set()
        rows = self._api.deleted_keys_like(*_searches(aliases), aliases=aliases)
        return None if rows is None else {row.alias for row in rows} & set(aliases)

    def change(self, wanted: Mapping[str, Mapping[str, Any]]) -> dict[str, str | Exception]:
        """Change keys by alias, in the words of `virtual_keys`, and return why it was not possible by alias. A key that is gone by now is not made again."""
        lab = Lab()
        try:
            keys = lab.wanted({"keys": [{"alias": alias, **arguments, "create": False} for alias, arguments in wanted.items()]}, self._api.now)
            policy = Policy(on_unrecoverable=OnUnrecoverable.KEEP, renew_expired=False)
            outcome = self._reconciler.apply(keys, lab.scope(keys), policy, check_models=False, keep_going=True)
        except (GatewayError, ValueError) as error:
            return dict.fromkeys(wanted, error)
        return dict(outcome.left_out)

    def revoke(self, aliases: Iterable[str]) -> None:
        """Delete the keys with these aliases, and prove it. Raises GatewayError."""
        keys = [{"alias": alias} for alias in aliases]
        if not keys:
            return
        self._reconciler.delete(lambda: Lab().to_delete(self._api, keys, self._reconciler.value_of), proof=self._proof)


def _searches(aliases: Sequence[str]) -> Sequence[str]:
    """Return the searches for these aliases: each by itself if they are few, because what they have in common begins all requested keys ever."""
    return aliases if len(aliases) <= FEW else searches_for(set(aliases))
