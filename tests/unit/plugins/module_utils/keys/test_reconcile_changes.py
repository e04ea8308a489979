# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Changing keys as they are, without knowing their values."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.key import LiveKey, WantedKey
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.results import KeyOutcome, KeysIncomplete
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm import errors
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.errors import Refused
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.scripted import Reply
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.served_model import Fault, ServedModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.plugins.module_utils.keys.served_lab import (
    BROKEN,
    LAB,
    LOST,
    SECRET,
    actions_of,
    apply,
    reconciler,
    wanted_keys,
)


def change(served: ServedModel, **options: Any) -> KeyOutcome:
    how = {name: options.pop(name) for name in ("check_mode", "retries") if name in options}
    worker = reconciler(served, **how)

    def wanted(row: LiveKey) -> WantedKey:
        return WantedKey(row.alias, **options)

    return worker.change(LAB.existing_rows(worker.api, worker.value_of), wanted, lambda: LAB.rows(worker.api))


def test_change_needs_no_value(served: ServedModel) -> None:
    apply(served, wanted_keys("user1", "user2"), secret="another secret altogether")
    outcome = change(served, fields={"blocked": True})
    assert actions_of(outcome) == {"user1": "updated", "user2": "updated"}
    assert not change(served, fields={"blocked": True}).changed


def test_check_mode_takes_the_same_path(served: ServedModel) -> None:
    apply(served, wanted_keys("user1"))
    writes = len(served.writes())
    assert actions_of(change(served, fields={"rpm_limit": 1}, check_mode=True)) == {"user1": "updated"}
    for check_mode in (True, False):
        with pytest.raises(Refused, match="no model named gpt-9"):
            change(served, fields={"models": ["gpt-9"]}, check_mode=check_mode)
    assert len(served.writes()) == writes


def test_a_change_that_fails(served: ServedModel) -> None:
    apply(served, wanted_keys("user1", "user2"))
    token = derive.token(derive.value(SECRET, "virtkey-abc-user2", 0))
    served.faults = [Fault("/key/update", BROKEN, when=lambda request: request.body["key"] == token)]
    with pytest.raises(KeysIncomplete, match=r"1 of 2 keys are not as wanted \(virtkey-abc-user2: .*Internal Server Error") as caught:
        change(served, fields={"rpm_limit": 1})
    assert actions_of(caught.value.outcome) == {"user1": "updated"} and caught.value.outcome.changed
    served.faults = [Fault("/key/update", BROKEN)]
    with pytest.raises(errors.ServerFailed):
        change(served, fields={"rpm_limit": 2})
    served.faults = [Fault("/key/update", Reply(json={}))]
    with pytest.raises(KeysIncomplete, match="did not act on it"):
        change(served, fields={"rpm_limit": 2})


def test_a_gateway_that_dies_after_a_change(served: ServedModel) -> None:
    apply(served, wanted_keys("user1"))
    served.requests.clear()
    served.faults = [Fault("/key/list", LOST, when=lambda _request: bool(served.asked("/key/update")))]
    with pytest.raises(KeysIncomplete, match="could not be read again") as caught:
        change(served, fields={"rpm_limit": 1})
    assert caught.value.outcome.changed
