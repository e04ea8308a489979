# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""A lab: the keys of one GUID, found on the gateway by alias and by the notes on each key."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from ..common import names
from ..litellm.errors import GatewayError
from . import limits
from .api import KeyApi
from .derive import ValueOf, lost_generation
from .history import KeyHistory
from .key import LiveKey, Notes, WantedKey
from .orphan import ORPHAN, OrphanMark
from .plan import KeyScope
from .retirement import grace_has_ended


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
        if params.get("user_base"):
            names.check_user(params["user_base"], "user_base")
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
        """Return whether a key belongs to this lab under the lab's own alias, so that a run with other users may delete it."""
        if row.notes and row.notes.lab:
            return row.notes.lab == self.alias
        if row.guid and self.guid and row.guid != self.guid:
            return False
        return names.user_of_legacy_alias(row.served_alias, self.alias, self.user_base) is not None

    def belongs_to_lab(self, row: LiveKey) -> bool:
        """Return whether a key belongs to this lab, whatever its alias and its state.

        A key with notes belongs to the lab of the GUID in them; if the caller named another alias than the one that
        follows from the GUID, only to the lab with that alias. A key that release 1.3.2 made is known by the GUID in its
        metadata and the alias that it made for a GUID, with any beginning of user names, and without a GUID in its
        metadata by its alias alone.
        """
        notes = row.notes
        if notes and (notes.guid or notes.lab):
            if notes.guid and self.guid and notes.guid != self.guid:
                return False
            return bool(self.is_canonical and self.guid and notes.guid) or (bool(notes.lab) and notes.lab == self.alias)
        if row.guid and row.guid == self.guid:
            return names.is_legacy_alias(row.served_alias, self.guid) or self.is_under_alias(row)
        return self.is_under_alias(row)

    # ------------------------------------------------------------------------------------------------------- rows
    def searches(self, aliases: Iterable[str] = ()) -> list[str]:
        """Return the searches that list every key of the lab, and every key with one of `aliases`.

        LiteLLM searches keys by a part of their alias. The alias of every key that is made for a GUID holds that GUID, so
        one search finds them all; keys under a lab alias without the GUID are older than this rule.
        """
        parts = [self.guid or self.alias] if self.guid or self.alias else []
        if self.alias and not any(part in self.alias for part in parts):
            parts.append(self.alias)
        return parts + searches_for({alias for alias in aliases if not any(part in alias for part in parts)})

    def rows(self, api: KeyApi, aliases: Iterable[str] = (), *, value_of: ValueOf | None = None, **filters: Any) -> list[LiveKey]:
        """Return every key that belongs to the lab, and every key that serves or served one of `aliases`.

        Values in their grace period and several keys with one alias are all included. `filters` are those of `KeyApi.keys`. With `value_of`,
        keys that have lost their notes are included too, and a warning names those under aliases of the lab that are not the lab's.
        """
        named = set(aliases)
        listed = api.keys_like(*self.searches(named), **filters)
        if value_of:
            listed = self._with_lost_notes(listed, value_of)
            for row in listed:
                if not self.belongs_to_lab(row) and row.served_alias not in named:
                    self._warn_of(row, api)
        return [row for row in listed if self.belongs_to_lab(row) or row.served_alias in named]

    def _warn_of(self, row: LiveKey, api: KeyApi) -> None:
        """Warn of a key that does not belong to the lab, if its alias looks as if it did."""
        other = row.guid or (row.notes.lab if row.notes else "")
        if other and names.user_of_legacy_alias(row.served_alias, self.alias, self.user_base) is not None:
            api.warn_once(f"the key {row.alias} is left alone, for it belongs to the lab {other}.")
        elif not other and row.alias.startswith(f"{self.alias}-"):
            api.warn_once(f"the key {row.alias} is left alone, for nothing on it says that it belongs to the lab {self.alias}.")

    def find_deleted(self, api: KeyApi, living: Iterable[LiveKey]) -> list[LiveKey] | None:
        """Return at least the keys of the lab that were deleted; None if the gateway keeps no deleted keys. Raises GatewayError.

        Releases of LiteLLM up to 1.83.0 find only those with an alias of the lab or of one of its `living` keys.
        """
        aliases = {self.alias, *(alias for row in living for alias in (row.alias, row.served_alias))} - {""}
        return api.deleted_keys_like(*self.searches(), aliases=sorted(aliases))

    def deleted_before(self, api: KeyApi, keys: Sequence[Mapping[str, Any]] | None) -> list[LiveKey]:
        """Return those keys that `state: absent` deletes which were deleted before, as far as the gateway finds them. Raises GatewayError."""
        if keys is None:
            return self.deleted_rows(api, ())
        guids = self._named(keys)
        return [row for row in deleted_under(api, guids) if not row.other_owner(self.alias, guids[row.served_alias])]

    def deleted_rows(self, api: KeyApi, living: Iterable[LiveKey]) -> list[LiveKey]:
        """Return the keys of the lab that were deleted, as far as `find_deleted` finds them. Raises GatewayError."""
        return [row for row in self.find_deleted(api, living) or [] if self.belongs_to_lab(row)]

    def existing_rows(self, api: KeyApi, value_of: ValueOf) -> list[LiveKey]:
        """Return every key that belongs to the lab. Raises NoSuchLab if there are none, and NotAdmin for an API key that would not see them all."""
        rows = self.rows(api, value_of=value_of)
        api.check_sees_all(rows)
        if not rows:
            raise NoSuchLab(f"the gateway has no key of the lab {self.alias}; check the guid, or provision the lab first.")
        return sorted(rows, key=lambda row: (row.served_alias, row.in_service, row.generation))

    def members(self, api: KeyApi, value_of: ValueOf) -> list[LiveKey]:
        """Return one key for each alias of the lab: the one in service, or else the last one that was. Raises as `existing_rows` does."""
        return list({row.served_alias: row for row in self.existing_rows(api, value_of)}.values())

    @staticmethod
    def rows_to_change(rows: Iterable[LiveKey], params: Mapping[str, Any]) -> list[LiveKey]:
        """Return those `rows` of the lab that the arguments change: all to block or unblock them, else those in service.

        An alias that is just being rotated may have no key in service. Its last value stands in for it, and the rotation takes
        over what is changed on that.
        """
        all_rows = sorted(rows, key=lambda row: row.generation)
        if params.get("blocked") is not None:
            return all_rows
        served = [row for row in all_rows if row.in_service]  # several, if release 1.3.2 made them at once
        aliases = {row.alias for row in served}
        return [*{row.served_alias: row for row in all_rows if row.served_alias not in aliases}.values(), *served]

    def _with_lost_notes(self, listed: Collection[LiveKey], value_of: ValueOf) -> list[LiveKey]:
        """Return `listed`, each key of the lab with the notes that were lost from it."""
        others = {row.notes.lab for row in listed if row.notes and row.notes.lab.startswith(f"{self.alias}-")}
        return [self._with_notes_again(row, value_of, others) for row in listed]

    def _with_notes_again(self, row: LiveKey, value_of: ValueOf, others: Collection[str]) -> LiveKey:
        """Return a key with the notes that were lost from it, if its value says that the collection made it for this lab.

        `others` are the aliases of other labs, which may begin with the alias of this one.
        """
        if row.notes or row.guid not in ("", self.guid) or not f"{row.served_alias}-".startswith(f"{self.alias}-"):
            return row
        if any(f"{row.served_alias}-".startswith(f"{other}-") for other in others):
            return row
        generation = lost_generation(row, value_of)
        if generation is None:
            return row
        user = row.served_alias[len(self.alias) + 1 :]
        return replace(row, notes=Notes(lab=self.alias, guid=self.guid, user=user, generation=generation))

    def to_delete(self, api: KeyApi, keys: Sequence[Mapping[str, Any]] | None, value_of: ValueOf) -> list[LiveKey]:
        """Return what `state: absent` deletes: the named keys with their former values, or all keys that belong to the lab."""
        if keys is None:
            return self.rows(api, value_of=value_of)
        guids = self._named(keys)
        rows = [row for row in self.rows(api, guids) if row.served_alias in guids]
        for row in rows:
            owner = row.other_owner(self.alias, guids[row.served_alias])
            if owner:
                api.warn_once(f"the key {row.alias} is left alone, for it belongs to the lab {owner}.")
        return [row for row in rows if not row.other_owner(self.alias, guids[row.served_alias])]

    # ------------------------------------------------------------------------------------------------ wanted keys
    def scope(self, wanted: Sequence[WantedKey], value_of: ValueOf | None = None) -> KeyScope:
        """Return the scope of a plan for `wanted`: the rows that it has to see, with `value_of` those that have lost their notes, too."""
        aliases = {want.alias for want in wanted}
        return KeyScope(
            aliases=aliases,
            searches=self.searches(aliases),
            concerns=lambda row: row.served_alias in aliases or bool(self.alias and self.is_under_alias(row)),
            is_member=lambda row: bool(self.alias) and self.is_under_alias(row),
            restored=(lambda rows: self._with_lost_notes(rows, value_of)) if value_of and self.alias else list,
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
            if guid and (guid not in alias or names.contradicts_guid(alias, guid)):
                raise ValueError(
                    f"the alias {alias} does not hold the guid {guid}, by which the keys of a lab are found again;"
                    f" choose an alias that does, such as {alias}-{guid}, or leave the guid out."
                )
            if self.alias and not self.guid and self.alias not in alias:
                raise ValueError(
                    f"the alias {alias} does not hold the lab_alias {self.alias}, by which the keys of a lab are found again;"
                    f" choose an alias that does, such as {self.alias}-{alias}, or leave the lab_alias out."
                )
            want = replace(limits.wanted_key(alias, own, clock), lab=self.alias, guid=guid, user=key.get("user") or "")
            wanted.append(self._with_state(want, params))
        _check_distinct([want.alias for want in wanted])
        if not wanted:
            raise ValueError("keys is empty; name at least one key, or delete the lab with state absent.")
        return wanted

    def change(self, params: Mapping[str, Any], clock: limits.Clock) -> Callable[[LiveKey], WantedKey]:
        """Return a function that gives what the arguments want of an existing key. Raises ValueError."""
        clock = cache(clock)
        general = self._with_state(limits.wanted_key("", params, clock), params)

        def change(row: LiveKey) -> WantedKey:
            # A value in its grace period is only blocked and unblocked with the others; one past it stays as it is.
            former = not row.in_service and params.get("blocked") is not None and not params.get("rotation")
            want = general
            if former:
                revived = params.get("blocked") is False and grace_has_ended(row, clock())
                want = self._with_state(WantedKey(row.served_alias), {} if revived else params)
            mark = OrphanMark.of(row)
            if params.get("blocked") and mark:  # stopped on purpose: it stays blocked even if the reaper finds its lab alive
                want = replace(want, metadata={**want.metadata, ORPHAN: replace(mark, stopped=True).to_metadata()})
            if former:
                return want
            if row.notes:
                return replace(want, alias=row.served_alias, lab=row.notes.lab, guid=row.notes.guid, user=row.notes.user)
            user = names.user_of_legacy_alias(row.alias, self.alias, self.user_base) or ""
            return replace(want, alias=row.served_alias, lab=self.alias, guid=self.guid, user=user)

        return change

    def _named(self, keys: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """Return the GUID, or '', under which each of `keys` is to be deleted, by its alias. Raises ValueError."""
        if not keys:
            raise ValueError("keys is empty; name the keys to delete, or leave it out to delete all keys of the lab.")
        aliases = [self._alias(key) for key in keys]
        _check_distinct(aliases)
        return {alias: names.check_guid(key["guid"]) if key.get("guid") else self.guid for alias, key in zip(aliases, keys, strict=True)}

    def _alias(self, key: Mapping[str, Any]) -> str:
        if key.get("alias"):
            return names.check_alias(key["alias"])
        if not self.alias:
            raise ValueError("a key has neither an alias nor a lab to take one from; give its alias, or the guid of the lab.")
        return names.check_composed(names.user_alias(self.alias, names.check_user(key["user"]) if key.get("user") else None))

    @staticmethod
    def _with_state(want: WantedKey, params: Mapping[str, Any]) -> WantedKey:
        if params.get("blocked") is None:
            return want
        return replace(want, fields={**want.fields, "blocked": params["blocked"]})


def _check_distinct(aliases: Sequence[str]) -> None:
    """Raise ValueError if a key is named twice."""
    twice = sorted({alias for alias in aliases if aliases.count(alias) > 1})
    if twice:
        raise ValueError(f"keys holds {twice[0]} twice; name each user or alias once.")


def history_of(api: KeyApi, aliases: Collection[str], value_of: ValueOf) -> KeyHistory:
    """Return what the gateway remembers of the deleted keys with these aliases: nothing, if it keeps no list of deleted keys. Raises GatewayError."""
    return KeyHistory(value_of, _deleted_like(api, aliases))


def deleted_under(api: KeyApi, aliases: Collection[str]) -> list[LiveKey]:
    """Return the deleted keys that served one of `aliases`, as far as the gateway keeps and finds them. Raises GatewayError."""
    return [row for row in _deleted_like(api, aliases) if row.served_alias in aliases]


def _deleted_like(api: KeyApi, aliases: Collection[str]) -> list[LiveKey]:
    return (api.deleted_keys_like(*searches_for(set(aliases)), aliases=sorted(aliases)) or []) if aliases else []


def searches_for(aliases: set[str]) -> list[str]:
    """Return the fewest searches that list all of `aliases`: their common beginning, unless that is too short to narrow anything down."""
    common = os.path.commonprefix(sorted(aliases))  # noqa: RUF071 - character by character is what is wanted
    return [common] if len(common) >= 4 or len(aliases) > 50 else sorted(aliases)
