# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Random lives of a lab: runs, killed runs, other people's keys and time, in any order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import durations, names
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.key import Notes, WantedKey, normal
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.plan import (
    OnUnrecoverable,
    Policy,
)
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.notes import NOTES_NAME
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import LitellmModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.plugins.module_utils.keys.lab_plans import (
    DAY,
    LAB,
    carry_out,
    converge,
    create_by_hand,
    plan_for,
    rows_of,
    value_of,
    wanted_key,
)
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

USERS = ("user1", "user2", "user3")
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "models": st.sampled_from([["granite"], ["granite", "mistral"], ["mistral", "granite"]]),
        "max_budget": st.sampled_from([None, 0.0, 5.0]),
        "rpm_limit": st.sampled_from([None, 0, 10]),
        "blocked": st.booleans(),
        "user_id": st.sampled_from([None, "u"]),
    },
)
WANTS = st.fixed_dictionaries(
    {
        "fields": FIELDS,
        "lifetime": st.sampled_from([None, 3600, DAY]),
        "rotation": st.sampled_from(["", "", "a", "b"]),
        "metadata": st.sampled_from([{}, {"owner": "a"}, {"owner": None}]),
    }
)
POLICIES = st.builds(
    Policy,
    prune=st.booleans(),
    grace=st.sampled_from([0, 1800]),
    on_unrecoverable=st.sampled_from([OnUnrecoverable.ROTATE, OnUnrecoverable.KEEP]),
)
OTHER = "virtkey-abc-user1-user1"


class LabLife(RuleBasedStateMachine):
    """Runs, killed runs, other people's keys and time, in any order, with invariants checked after every step."""

    def __init__(self) -> None:
        super().__init__()
        self.model = LitellmModel()
        self.settled: Sequence[WantedKey] = ()
        create_by_hand(self.model, OTHER, metadata={NOTES_NAME: Notes(lab="virtkey-abc-user1", guid="abc-user1").to_metadata()})
        self.others = dict(self.model.rows)

    def _ends(self) -> dict[str, datetime]:
        far = self.model.now + timedelta(days=9999)
        return {row.alias: row.expires or far for row in rows_of(self.model) if not row.expired(self.model.now)}

    @rule(
        users=st.sets(st.sampled_from(USERS), min_size=1),
        options=WANTS,
        policy=POLICIES,
        ahead=st.sampled_from([None, 60, 7200, 9 * DAY]),
        cuts=st.one_of(st.none(), st.dictionaries(st.sampled_from(USERS), st.integers(0, 2))),
    )
    def run(self, users: set[str], options: dict[str, Any], policy: Policy, ahead: int | None, cuts: dict[str, int] | None) -> None:
        until = self.model.now + timedelta(seconds=ahead) if ahead else None
        wanted = [wanted_key(user, expires_by=until, **options) for user in sorted(users)]
        before = self._ends()
        if cuts is not None:
            through = {names.user_alias(LAB.alias, user): count for user, count in cuts.items()}
            carry_out(self.model, plan_for(self.model, wanted, policy), cut=lambda alias: through.get(alias, 0), delete=False)
        converge(self.model, wanted, policy)
        after = self._ends()

        for key in wanted:
            holders = [row for row in rows_of(self.model) if row.alias == key.alias]
            assert len(holders) == 1 or not policy.prune
            row = max(
                holders,
                key=lambda row: (row.token == derive.token(value_of(row.alias, row.generation)), row.generation),
            )
            if policy.on_unrecoverable is OnUnrecoverable.ROTATE:
                value = value_of(row.alias, row.generation)
                assert row.token == derive.token(value)
                usable = not row.expired(self.model.now) and not row.fields["blocked"]
                assert self.model.works(value) == usable
            for name, value in key.fields.items():
                assert row.fields[name] == normal(name, value)
            if key.alias in before:
                assert after.get(key.alias, self.model.now) >= before[key.alias] - timedelta(seconds=1), "the life of a key was shortened"
        if policy.prune:
            wanted_aliases = {key.alias for key in wanted}
            assert {row.served_alias for row in rows_of(self.model) if LAB.is_under_alias(row)} == wanted_aliases
        self.settled = wanted

    @rule(seconds=st.sampled_from([1, 1800, 3600, 2 * DAY]))
    def time_passes(self, seconds: int) -> None:
        self.model.pass_time(seconds)

    @rule(user=st.sampled_from(USERS), legacy=st.booleans())
    def somebody_makes_a_key(self, user: str, legacy: bool) -> None:
        alias = names.user_alias(LAB.alias, user)
        if not self.model.with_alias(alias):
            create_by_hand(self.model, alias, metadata={"guid": "abc"} if legacy else {}, duration="1d")

    @rule(number=st.integers(0, 5))
    def somebody_deletes_a_key(self, number: int) -> None:
        tokens = sorted(set(self.model.rows) - set(self.others))
        if number < len(tokens):
            self.model.handle("POST", "/key/delete", {}, {"keys": [tokens[number]]})

    @rule(number=st.integers(0, 5), name=st.sampled_from(["max_budget", "rpm_limit"]))
    def somebody_changes_a_key(self, number: int, name: str) -> None:
        tokens = sorted(set(self.model.rows) - set(self.others))
        if number < len(tokens):
            self.model.handle("POST", "/key/update", {}, {"key": tokens[number], name: 77})

    @invariant()
    def no_deleted_value_works_again(self) -> None:
        assert not {row["token"] for row in self.model.deleted} & set(self.model.rows)

    @invariant()
    def the_other_lab_is_untouched(self) -> None:
        assert {token: self.model.rows[token] for token in self.others} == self.others

    @invariant()
    def nothing_lives_past_its_grace(self) -> None:
        for row in rows_of(self.model):
            if row.notes and row.notes.retired_until and row.expires:
                assert row.expires <= durations.parse_time(row.notes.retired_until) + timedelta(seconds=1)

    def teardown(self) -> None:
        """Check that everything settles in the end: one working row per alias, and nothing else after the grace period."""
        wanted = [wanted_key(user, lifetime=DAY, fields={"blocked": False}) for user in USERS]
        policy = Policy(prune=True, on_unrecoverable=OnUnrecoverable.ROTATE)
        converge(self.model, wanted, policy)
        self.model.pass_time(1801)
        converge(self.model, wanted, policy)
        rows = [row for row in rows_of(self.model) if row.alias != OTHER]
        assert sorted(row.alias for row in rows) == [key.alias for key in wanted]
        assert all(self.model.works(value_of(row.alias, row.generation)) for row in rows)


TestLabLife = LabLife.TestCase
TestLabLife.settings = settings(max_examples=100, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
