# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""How plans move the end of a key: renewal, extension, and what leaves it alone."""

from __future__ import annotations

from datetime import timedelta

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.plan import (
    EXPIRY_TOLERANCE,
    Policy,
    plan_key_updates,
)
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import LitellmModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.plugins.module_utils.keys.lab_plans import (
    DAY,
    LAB,
    carry_out,
    converge,
    plan_for,
    row_of,
    rows_of,
    value_of,
    wanted_key,
)
from hypothesis import given
from hypothesis import strategies as st


def test_running_again_leaves_the_end_alone() -> None:
    model = LitellmModel()
    converge(model, [wanted_key("user1", lifetime=30 * DAY)])
    end = row_of(model, "virtkey-abc-user1").expires
    model.pass_time(3600)
    assert not plan_for(model, [wanted_key("user1", lifetime=7 * DAY)]).changed
    assert not plan_for(model, [wanted_key("user1", lifetime=90 * DAY)]).changed
    assert row_of(model, "virtkey-abc-user1").expires == end


def test_an_expired_key_gets_its_lifetime_again() -> None:
    model = LitellmModel()
    converge(model, [wanted_key("user1", lifetime=DAY)])
    model.pass_time(2 * DAY)
    converge(model, [wanted_key("user1", lifetime=DAY)])
    assert row_of(model, "virtkey-abc-user1").expires == model.now + timedelta(days=1)


def test_an_expired_key_stays_expired_without_a_lifetime() -> None:
    model = LitellmModel()
    converge(model, [wanted_key("user1", lifetime=DAY)])
    model.pass_time(2 * DAY)
    assert not plan_for(model, [wanted_key("user1")]).changed


def test_an_expired_key_can_be_made_endless() -> None:
    model = LitellmModel()
    converge(model, [wanted_key("user1", lifetime=DAY)])
    model.pass_time(2 * DAY)
    converge(model, [wanted_key("user1", endless=True)])
    assert row_of(model, "virtkey-abc-user1").expires is None


def test_rotation_does_not_revive_an_expired_key() -> None:
    model = LitellmModel()
    converge(model, [wanted_key("user1", lifetime=DAY)])
    model.pass_time(2 * DAY)
    converge(model, [wanted_key("user1", rotation="a")])
    row = row_of(model, "virtkey-abc-user1")
    assert row.generation == 1
    assert row.expires is not None and row.expires <= model.now + timedelta(seconds=1)


@given(
    lived=st.integers(0, 40 * DAY),
    lifetime=st.one_of(st.none(), st.integers(60, 30 * DAY)),
    ahead=st.integers(-DAY, 60 * DAY),
)
def test_extension_never_shortens(lived: int, lifetime: int | None, ahead: int) -> None:
    model = LitellmModel()
    converge(model, [wanted_key("user1", lifetime=lifetime)])
    before = row_of(model, "virtkey-abc-user1").expires
    model.pass_time(lived)
    until = model.now + timedelta(seconds=ahead)
    rows = [row for row in rows_of(model) if LAB.is_under_alias(row)]
    plan = plan_key_updates([(row, wanted_key("user1", expires_by=until)) for row in rows], value_of=value_of, now=model.now)
    carry_out(model, plan)
    after = row_of(model, "virtkey-abc-user1").expires
    if before is None:
        assert after is None
    else:
        assert after is not None and after >= before
        assert after == before or timedelta(0) <= after - until <= timedelta(seconds=1) or ahead < 1
        assert after + EXPIRY_TOLERANCE >= min(until, after + EXPIRY_TOLERANCE)
        assert after >= until - EXPIRY_TOLERANCE
    again = plan_key_updates([(row, wanted_key("user1", expires_by=until)) for row in rows_of(model)], value_of=value_of, now=model.now)
    assert not again.changed


def test_extension_does_not_revive_a_rotated_value() -> None:
    """Extend a lab as its module does: values that were rotated away stay as they are."""
    model = LitellmModel()
    converge(model, [wanted_key("user1", lifetime=DAY)])
    converge(model, [wanted_key("user1", lifetime=DAY, rotation="a")], Policy(grace=3600))
    model.pass_time(2 * 3600)
    assert not model.works(value_of("virtkey-abc-user1", 0))
    converge(model, [wanted_key("user1", expires_by=model.now + timedelta(days=9))])
    assert not model.works(value_of("virtkey-abc-user1", 0))
