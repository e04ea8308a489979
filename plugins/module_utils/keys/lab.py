# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""A lab: a set of keys with one GUID, found on the gateway by alias and by the notes on each key."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from ..common import names
from ..litellm.errors import GatewayError
from . import limits
from .api import Gateway
from .key import LiveKey, Record, WantedKey
from .plan import home
from .reconcile import Scope


class NoSuchLab(GatewayError):
    """The gateway has no key of the lab."""

    code = "no_such_lab"


@dataclass(frozen=True)
class Lab:
    """`alias` '' stands for a set of keys that belong to no lab. `whole` is False when the caller named the alias: only its keys count then."""

    guid: str = ""
    alias: str = ""
    user_base: str = "user"
    whole: bool = True

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Lab:
        """From the arguments `guid`, `lab_alias` and `user_base`. Raises ValueError."""
        guid, alias = params["guid"], params.get("lab_alias")
        if guid is not None:
            names.check_guid(guid)
        if alias:
            names.check_alias(alias)
        canonical = names.lab_alias(guid) if guid else ""
        if not alias and not canonical and params.get("keys") is None:
            raise ValueError("guid and lab_alias are empty; give one of them, or name the keys.")
        return cls(
            guid=guid or "",
            alias=alias or canonical,
            user_base=params.get("user_base") or "user",
            whole=not alias or alias == canonical,
        )

    # ------------------------------------------------------------------------------------------------- membership
    def owns(self, row: LiveKey) -> bool:
        """Whether a key is of this lab, under this very alias."""
        if row.record and row.record.lab:
            return row.record.lab == self.alias
        if row.guid and self.guid and row.guid != self.guid:
            return False
        return names.user_of_legacy_alias(home(row), self.alias, self.user_base) is not None

    def covers(self, row: LiveKey) -> bool:
        """Whether a key goes when the lab goes: with the GUID go all aliases that were formatted from it."""
        if self.whole and self.guid and row.record and row.record.guid:
            return row.record.guid == self.guid
        return self.owns(row)

    def members(self, gateway: Gateway) -> list[LiveKey]:
        """The keys of the lab: for each alias the one that is in service, else the last one that was.

        Raises NoSuchLab when there are none.
        """
        rows = [row for row in gateway.keys_like(self.alias, thorough=True) if self.owns(row)]
        gateway.check_admin()  # a key that sees its own keys only would take them for the whole lab
        if not rows:
            raise NoSuchLab(f"the gateway has no key of the lab {self.alias}; check the guid, or provision the lab first.")
        rows.sort(key=lambda row: (home(row), home(row) == row.alias, row.generation))
        return list({home(row): row for row in rows}.values())

    def in_service(self, gateway: Gateway) -> list[LiveKey]:
        """The members that can be called with."""
        return [row for row in self.members(gateway) if home(row) == row.alias]

    def to_delete(self, gateway: Gateway, keys: Sequence[Mapping[str, Any]] | None) -> list[LiveKey]:
        """What `state: absent` deletes: the named keys with their former values, or all that the lab covers."""
        if keys is None:
            return [row for row in gateway.keys_like(self.alias, thorough=True) if self.covers(row)]
        aliases = {self._alias(key) for key in keys}
        rows = [row for search in searches(aliases) for row in gateway.keys_like(search, thorough=True)]
        found = {row.token: row for row in rows if not row.other_owner(Record(lab=self.alias, guid=self.guid))}
        return [row for row in found.values() if home(row) in aliases]

    # ------------------------------------------------------------------------------------------------ wanted keys
    def scope(self, wanted: Sequence[WantedKey]) -> Scope:
        """The rows that a plan for `wanted` has to see."""
        aliases = {want.alias for want in wanted}
        return Scope(
            searches=searches(aliases) if not self.alias else [self.alias],
            concerns=lambda row: home(row) in aliases or bool(self.alias and self.owns(row)),
            is_member=lambda row: bool(self.alias) and self.owns(row),
        )

    def wanted(self, params: Mapping[str, Any], clock: limits.Clock) -> list[WantedKey]:
        """The keys that the arguments describe: each element of `keys` over what holds for all. Raises ValueError."""
        wanted = []
        clock = cache(clock)  # one moment for all
        for key in params["keys"]:
            alias = self._alias(key)
            own = {**params, **{name: value for name, value in key.items() if value is not None}}
            own["metadata"] = {**(params.get("metadata") or {}), **(key.get("metadata") or {})}
            guid = names.check_guid(key["guid"]) if key.get("guid") else self.guid
            record = Record(lab=self.alias, guid=guid, user=key.get("user") or "")
            wanted.append(self._with_state(limits.wanted_key(alias, record, own, clock), params))
        aliases = [want.alias for want in wanted]
        twice = sorted({alias for alias in aliases if aliases.count(alias) > 1})
        if twice:
            raise ValueError(f"keys holds {twice[0]} twice; name each user or alias once.")
        if not wanted:
            raise ValueError("keys is empty; name at least one key, or delete the lab with state absent.")
        return wanted

    def change(self, params: Mapping[str, Any], clock: limits.Clock) -> Callable[[LiveKey], WantedKey]:
        """What the arguments want of a key that exists, whichever it is. Raises ValueError."""
        general = limits.wanted_key("", Record(), params, clock)

        def change(row: LiveKey) -> WantedKey:
            record = (
                row.record.in_service()
                if row.record
                else Record(
                    lab=self.alias,
                    guid=self.guid,
                    user=names.user_of_legacy_alias(row.alias, self.alias, self.user_base) or "",
                )
            )
            record = Record(**{**record.__dict__, "package": general.record.package or record.package})
            return self._with_state(replace(general, alias=home(row), record=record), params)

        return change

    def _alias(self, key: Mapping[str, Any]) -> str:
        if key.get("alias"):
            return names.check_alias(key["alias"])
        if not self.alias:
            raise ValueError("a key has neither an alias nor a lab to take one from; give its alias, or the guid of the lab.")
        return names.user_alias(self.alias, names.check_user(key["user"]) if key.get("user") else None)

    @staticmethod
    def _with_state(want: WantedKey, params: Mapping[str, Any]) -> WantedKey:
        if params.get("blocked") is None:
            return want
        return WantedKey(**{**want.__dict__, "fields": {**want.fields, "blocked": params["blocked"]}})


def searches(aliases: set[str]) -> list[str]:
    """The fewest searches that list all of `aliases`: what they have in common, unless that is next to nothing."""
    common = os.path.commonprefix(sorted(aliases))  # noqa: RUF071 - character by character is what is wanted
    return [common] if len(common) >= 4 or len(aliases) > 50 else sorted(aliases)
