# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""A lab: the keys of one GUID, found on the gateway by alias and by the notes on each key."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from ..common import names
from ..litellm.errors import GatewayError
from . import limits
from .api import KeyApi
from .key import LiveKey, WantedKey
from .plan import KeyScope


class NoSuchLab(GatewayError):
    """The gateway has no key of the lab."""

    code = "no_such_lab"


@dataclass(frozen=True)
class Lab:
    """The keys of one GUID, or of one alias.

    An empty `alias` stands for keys that belong to no lab. `is_canonical` is False if the caller named another alias than
    the one that follows from the GUID; then only the keys under that alias count.
    """

    guid: str = ""
    alias: str = ""
    user_base: str = "user"
    is_canonical: bool = True

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Lab:
        """Return the lab that the arguments `guid`, `lab_alias` and `user_base` name. Raises ValueError for names that cannot be used."""
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
            is_canonical=not alias or alias == canonical,
        )

    # ------------------------------------------------------------------------------------------------- membership
    def is_under_alias(self, row: LiveKey) -> bool:
        """Return whether a key belongs to this lab under the lab's own alias."""
        if row.notes and row.notes.lab:
            return row.notes.lab == self.alias
        if row.guid and self.guid and row.guid != self.guid:
            return False
        return names.user_of_legacy_alias(row.served_alias, self.alias, self.user_base) is not None

    def belongs_to_lab(self, row: LiveKey) -> bool:
        """Return whether a key belongs to this lab, and is deleted with it: keys under every lab alias made from the GUID do."""
        if self.is_canonical and self.guid and row.notes and row.notes.guid:
            return row.notes.guid == self.guid
        return self.is_under_alias(row)

    def members(self, api: KeyApi) -> list[LiveKey]:
        """Return the keys of the lab: for each alias the one in service, or else the last one that was.

        Raises NoSuchLab if there are none.
        """
        rows = [row for row in api.keys_like(self.alias) if self.is_under_alias(row)]
        api.check_admin()  # an API key that sees only its own keys would take them for the whole lab
        if not rows:
            raise NoSuchLab(f"the gateway has no key of the lab {self.alias}; check the guid, or provision the lab first.")
        rows.sort(key=lambda row: (row.served_alias, row.in_service, row.generation))
        return list({row.served_alias: row for row in rows}.values())

    def in_service(self, api: KeyApi) -> list[LiveKey]:
        """Return the members that are in service."""
        return [row for row in self.members(api) if row.in_service]

    def to_delete(self, api: KeyApi, keys: Sequence[Mapping[str, Any]] | None) -> list[LiveKey]:
        """Return what `state: absent` deletes: the named keys with their former values, or all keys that belong to the lab."""
        if keys is None:
            return [row for row in api.keys_like(self.alias) if self.belongs_to_lab(row)]
        aliases = {self._alias(key) for key in keys}
        rows = [row for search in searches_for(aliases) for row in api.keys_like(search)]
        found = {row.token: row for row in rows if not row.other_owner(self.alias, self.guid)}
        return [row for row in found.values() if row.served_alias in aliases]

    # ------------------------------------------------------------------------------------------------ wanted keys
    def scope(self, wanted: Sequence[WantedKey]) -> KeyScope:
        """Return the scope of a plan for `wanted`: the rows that it has to see."""
        aliases = {want.alias for want in wanted}
        return KeyScope(
            searches=searches_for(aliases) if not self.alias else [self.alias],
            concerns=lambda row: row.served_alias in aliases or bool(self.alias and self.is_under_alias(row)),
            is_member=lambda row: bool(self.alias) and self.is_under_alias(row),
        )

    def wanted(self, params: Mapping[str, Any], clock: limits.Clock) -> list[WantedKey]:
        """Return the keys that the arguments describe: each element of `keys`, with the arguments for all keys as defaults. Raises ValueError."""
        wanted = []
        clock = cache(clock)  # the same moment for all keys
        for key in params["keys"]:
            alias = self._alias(key)
            own = {**params, **{name: value for name, value in key.items() if value is not None}}
            own["metadata"] = {**(params.get("metadata") or {}), **(key.get("metadata") or {})}
            guid = names.check_guid(key["guid"]) if key.get("guid") else self.guid
            want = replace(limits.wanted_key(alias, own, clock), lab=self.alias, guid=guid, user=key.get("user") or "")
            wanted.append(self._with_state(want, params))
        aliases = [want.alias for want in wanted]
        twice = sorted({alias for alias in aliases if aliases.count(alias) > 1})
        if twice:
            raise ValueError(f"keys holds {twice[0]} twice; name each user or alias once.")
        if not wanted:
            raise ValueError("keys is empty; name at least one key, or delete the lab with state absent.")
        return wanted

    def change(self, params: Mapping[str, Any], clock: limits.Clock) -> Callable[[LiveKey], WantedKey]:
        """Return a function that gives what the arguments want of an existing key. Raises ValueError."""
        general = self._with_state(limits.wanted_key("", params, clock), params)

        def change(row: LiveKey) -> WantedKey:
            if row.notes:
                return replace(general, alias=row.served_alias, lab=row.notes.lab, guid=row.notes.guid, user=row.notes.user)
            user = names.user_of_legacy_alias(row.alias, self.alias, self.user_base) or ""
            return replace(general, alias=row.served_alias, lab=self.alias, guid=self.guid, user=user)

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
        return replace(want, fields={**want.fields, "blocked": params["blocked"]})


def searches_for(aliases: set[str]) -> list[str]:
    """Return the fewest searches that list all of `aliases`: their common beginning, unless that is too short to narrow anything down."""
    common = os.path.commonprefix(sorted(aliases))  # noqa: RUF071 - character by character is what is wanted
    return [common] if len(common) >= 4 or len(aliases) > 50 else sorted(aliases)
