# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Plans for the keys of one lab, and a model of LiteLLM that carries them out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import names
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.history import KeyHistory
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.key import LiveKey, WantedKey
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.lab import Lab
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.plan import KeyAction, KeyPlan, Policy, plan_keys
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import LitellmModel

SECRET = "the secret of these tests"
LAB = Lab(guid="abc", alias="virtkey-abc")
DAY = 86_400
PRESENT = Policy()


@cache
def value_of(alias: str, generation: int) -> str:
    """Return the derived value of a key; cached, because the random lives ask for the same few again and again."""
    return derive.value(SECRET, alias, generation)


def rows_of(model: LitellmModel) -> list[LiveKey]:
    """Return the first 100 keys of the model."""
    _status, answer = model.handle("GET", "/key/list", {"return_full_object": "true", "size": "100"}, None)
    return [LiveKey.from_row(row) for row in answer["keys"]]


def deleted_rows_of(model: LitellmModel) -> list[LiveKey]:
    """Return all keys that were deleted from the model."""
    rows: list[LiveKey] = []
    for page in itertools.count(1):
        query = {"return_full_object": "true", "size": "100", "page": str(page), "status": "deleted"}
        _status, answer = model.handle("GET", "/key/list", query, None)
        rows += [LiveKey.from_row(row) for row in answer["keys"]]
        if page >= answer["total_pages"]:
            break
    return rows


def row_of(model: LitellmModel, alias: str) -> LiveKey:
    (row,) = [row for row in rows_of(model) if row.alias == alias]
    return row


def wanted_key(user: str = "", **options: Any) -> WantedKey:
    """Return a wanted key of the lab, for `user` if one is given."""
    return WantedKey(alias=names.user_alias(LAB.alias, user), lab=LAB.alias, guid=LAB.guid, user=user, **options)


def plan_for(
    model: LitellmModel,
    wanted: Sequence[WantedKey],
    policy: Policy = PRESENT,
    secret: Callable[[str, int], str] = value_of,
) -> KeyPlan:
    """Plan the wanted keys from what the gateway has now; `secret` returns the value of an alias and a generation."""
    aliases = {each.alias for each in wanted}
    live = [row for row in rows_of(model) if row.served_alias in aliases or LAB.is_under_alias(row)]
    history = KeyHistory(secret, deleted_rows_of(model))
    return plan_keys(wanted, live, value_of=secret, now=model.now, policy=policy, is_member=LAB.is_under_alias, history=history)


def carry_out(
    model: LitellmModel,
    plan: KeyPlan,
    secret: Callable[[str, int], str] = value_of,
    cut: Callable[[str], int] = lambda _alias: 9,
    delete: bool = True,
) -> None:
    """Make the calls of a plan. `cut` returns how many calls of an alias get through before the run is killed."""
    for key in plan.steps:
        for call in key.calls[: cut(key.alias)]:
            body = {**call.payload, **({"key": secret(*call.mint)} if call.mint else {})}
            status, answer = model.handle("POST", call.path, {}, body)
            assert status == 200, answer
    if plan.to_delete and delete:
        status, answer = model.handle("POST", "/key/delete", {}, {"keys": [row.token for row in plan.to_delete]})
        assert status == 200, answer


def converge(
    model: LitellmModel,
    wanted: Sequence[WantedKey],
    policy: Policy = PRESENT,
    secret: Callable[[str, int], str] = value_of,
) -> list[KeyPlan]:
    """Plan and carry out until nothing is left to do, in at most three rounds, and return the plans."""
    plans = []
    for _round in range(3):
        plans.append(plan_for(model, wanted, policy, secret))
        assert not plans[-1].blockers, plans[-1].blockers
        if not plans[-1].changed:
            return plans
        carry_out(model, plans[-1], secret)
    last = plan_for(model, wanted, policy, secret)
    assert not last.changed, [(key.alias, key.action, key.calls) for key in last.steps]
    return plans


def actions_of(plan: KeyPlan) -> dict[str, KeyAction]:
    return {key.alias: key.action for key in plan.steps}


def create_by_hand(model: LitellmModel, alias: str, value: str = "", **body: Any) -> str:
    """Create a key as an admin would do by hand, and return its value."""
    value = value or f"sk-by-hand-{len(model.rows) + len(model.deleted):06d}-{alias}"
    status, answer = model.handle("POST", "/key/generate", {}, {"key": value, "key_alias": alias, **body})
    assert status == 200, answer
    return value
