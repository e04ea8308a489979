# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The life of keys as a state machine: any operation after any other, in one world or in several at once.

`KeyLives` drives the modules as playbooks do, on two gateways between which labs move. Before every operation check mode
predicts it; after it, the same operation again changes nothing, exactly the expected rows are there, every value that was ever
handed out works or is refused as expected at both gateways, and other people's keys are as they were. With several worlds, say
real LiteLLMs and models of them, all do the same and must agree.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.modules import run_module
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.faulty_proxy import FaultyProxy, Harm
from hypothesis import currently_in_test_context, note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

SECRET = "the secret of these lives"

PACKAGES: dict[str, dict[str, Any]] = {
    "small": {"package": "small", "models": ["granite"], "max_budget": 5, "rpm_limit": -1, "duration": "1d"},
    "large": {"package": "large", "models": ["mistral", "granite"], "max_budget": -1, "rpm_limit": 60, "duration": "30d"},
}
USERS = ("user1", "user2", "user3")
SITES = (0, 1)
SLACK = timedelta(seconds=2)
"""How close to the end of a grace period nothing is expected of a value."""
SHORTEST_WATCH = 9.0
"""For how many seconds ahead no grace period may end when an operation begins, at the least."""


class Site(Protocol):
    """One of the two gateways of a world."""

    connection: dict[str, Any]
    proxy: FaultyProxy
    """A proxy before the gateway, for runs that are cut off."""

    def admin(self, path: str, **body: Any) -> None:
        """Make a call as the gateway's admin does by hand."""

    def rows(self, part: str) -> list[dict[str, Any]]:
        """Return the rows whose alias contains `part`."""

    def works(self, value: str) -> bool:
        """Return whether the gateway accepts the value."""


class World(Protocol):
    """Two gateways on which lives are lived."""

    name: str
    sites: Sequence[Site]
    models: dict[str, str]
    """The name of each model of `PACKAGES` at both gateways."""

    def wait(self, seconds: float) -> None:
        """Let time pass."""

    def now(self) -> datetime:
        """Return the time at both gateways."""


@dataclass
class Key:
    """What is expected of the key in service under an alias. `legacy`: made by somebody else, and not adopted."""

    blocked: bool = False
    legacy: bool = False
    adopted: bool = False
    package: str = ""

    @property
    def random(self) -> bool:
        """Whether the value is not derived."""
        return self.legacy or self.adopted


@dataclass
class Retired:
    """A value in its grace period. It works until `sure`, in each world, and no longer after `until`.

    Between them lies what the rotation took, on a busy machine many seconds.
    """

    alias: str
    values: Sequence[str]
    sure: Sequence[datetime]
    until: Sequence[datetime]
    blocked: bool = False
    random: bool = False


@dataclass(frozen=True)
class Cut:
    """The end of a run at its writing call number `at`, counted from 0, before it arrives or, if `answered`, before its answer does."""

    at: int
    answered: bool


@dataclass
class LabState:
    """A lab at the site with this number, and the values of its keys in each world, by alias."""

    guid: str
    site: int
    keys: dict[str, Key] = field(default_factory=dict)
    values: dict[str, Sequence[str]] = field(default_factory=dict)
    retired: list[Retired] = field(default_factory=list)

    def alias(self, user: str) -> str:
        return f"virtkey-{self.guid}-{user}"


class KeyLives(RuleBasedStateMachine):
    """Two labs, of which one is named like a part of the other, among the keys of others. A subclass sets `make_worlds`."""

    make_worlds: Callable[[], Sequence[World]]

    def __init__(self) -> None:
        super().__init__()
        self.worlds = type(self).make_worlds()
        name = f"l{uuid.uuid4().hex[:8]}"
        self.labs = [[LabState(guid, site) for site in SITES] for guid in (name, f"{name}-b")]
        self.living_at = [0, 0]  # the site at which each lab lives
        self.touched = [0]  # the sites at which anything was done
        self.name = name
        self.begun: list[datetime] = []  # when the last operation began, in each world
        self.done: list[datetime] = []  # when it was done
        self.longest = 0.0  # seconds that an operation took at most
        self.cut: Cut | None = None  # how the next run will end
        self.labels = 0
        self.legacies = 0
        self.dead: list[list[Sequence[str]]] = [[] for _site in SITES]
        self.tried = [0 for _site in SITES]  # how many of the dead values have been tried since their death
        self.bystanders: list[list[dict[str, dict[str, Any]]]] = []

    @initialize()
    def others_have_keys(self) -> None:
        for site in (site for world in self.worlds for site in world.sites):
            site.admin("/key/generate", key=f"sk-bystander-one-{self.name}", key_alias=f"{self.name}-bot", metadata={"guid": self.name})
            site.admin("/key/generate", key=f"sk-bystander-two-{self.name}", key_alias=f"virtkey-{self.name}x-user1", metadata={"guid": f"{self.name}x"})
        self.bystanders = [[self._bystanders(site.rows(self.name)) for site in world.sites] for world in self.worlds]
        self.provision(0, {"user1", "user2"}, "small", False)  # an empty lab has nothing to do most operations on

    # -------------------------------------------------------------------------------------------------- operations
    lab_numbers = st.sampled_from([0, 0, 0, 1])

    @rule(lab=lab_numbers, users=st.sets(st.sampled_from(USERS), min_size=1), package=st.sampled_from(sorted(PACKAGES)), exact=st.booleans())
    def provision(self, lab: int, users: set[str], package: str, exact: bool) -> None:
        state = self._state(lab)
        aliases = {state.alias(user): user for user in sorted(users)}
        refused = any(alias in state.keys and state.keys[alias].legacy for alias in aliases)
        arguments = {
            "guid": state.guid,
            "keys": [{"user": user} for user in aliases.values()],
            "state": "exact" if exact else "present",
            **PACKAGES[package],
        }
        results = self._do(state, "virtual_keys", arguments, fails="unrecoverable" if refused else "")
        if refused:
            return
        if exact:
            self._bury(state, [alias for alias in {*state.keys, *(gone.alias for gone in state.retired)} if alias not in aliases])
        self._sweep(state, aliases)
        for alias in aliases:
            values = [self._value(result, alias) for result in results]
            if alias in state.keys and not state.keys[alias].adopted:
                assert values == list(state.values[alias]), f"provisioning changed the value of {alias}"
            elif alias not in state.keys:
                self._take(state, alias, values)
            state.keys[alias].package = package

    @rule(lab=lab_numbers, grace=st.sampled_from(["0s", "0s", "1h", "15s"]))
    def rotate(self, lab: int, grace: str) -> None:
        self.labels += 1
        state = self._state(lab)
        arguments = {"guid": state.guid, "rotation": f"label{self.labels}", "rotation_grace": grace}
        results = self._do(state, "virtual_keys", arguments, fails="" if state.keys else "no_such_lab")
        if not state.keys:
            return
        seconds = {"0s": 0, "15s": 15, "1h": 3600}[grace]
        self._sweep(state, state.keys)
        if not seconds:
            self.dead[state.site] += [former.values for former in state.retired]
            state.retired = []
        for alias, key in state.keys.items():
            sure, until = ([moment + timedelta(seconds=seconds) for moment in moments] for moments in (self.begun, self.done))
            former = Retired(alias, state.values[alias], sure, until, key.blocked, key.random)
            if seconds:
                state.retired.append(former)
            else:
                self.dead[state.site].append(former.values)
            self._take(state, alias, [self._value(result, alias) for result in results], key.blocked, key.package)

    @rule(lab=lab_numbers, blocked=st.booleans())
    def stop_or_start(self, lab: int, blocked: bool) -> None:
        state = self._state(lab)
        self._do(state, "virtual_keys", {"guid": state.guid, "blocked": blocked}, fails="" if state.keys else "no_such_lab")
        for key in state.keys.values():
            key.blocked = blocked
        for former in state.retired:
            former.blocked = blocked or (former.blocked and self._is_over(former))

    @rule(lab=lab_numbers, days=st.sampled_from([2, 40]))
    def extend(self, lab: int, days: int) -> None:
        state = self._state(lab)
        results = self._do(state, "virtual_keys", {"guid": state.guid, "extend_for": f"{days}d"}, fails="" if state.keys else "no_such_lab")
        if not state.keys:
            return
        for world, result in zip(self.worlds, results, strict=True):
            ends = [key["expires"] for key in result["virtual_keys"] if key["expires"]]
            assert all(datetime.fromisoformat(end) >= world.now() + timedelta(days=days) - timedelta(minutes=2) for end in ends), ends

    @rule(lab=lab_numbers)
    def adopt(self, lab: int) -> None:
        state = self._state(lab)
        self._do(state, "key_adoption", {"guid": state.guid}, fails="" if state.keys else "no_such_lab")
        for key in state.keys.values():
            key.adopted, key.legacy = key.adopted or key.legacy, False

    @rule(lab=lab_numbers)
    def destroy(self, lab: int) -> None:
        state = self._state(lab)
        self._do(state, "virtual_keys", {"guid": state.guid, "state": "absent"})
        self._bury(state, {*state.keys, *(former.alias for former in state.retired)})

    @rule(lab=lab_numbers, user=st.sampled_from(USERS))
    def revoke_one(self, lab: int, user: str) -> None:
        state = self._state(lab)
        self._do(state, "virtual_key", {"alias": state.alias(user), "state": "absent"})
        self._bury(state, [state.alias(user)])

    @rule(lab=lab_numbers, user=st.sampled_from(USERS), text=st.sampled_from(["x", "y"]))
    def annotate(self, lab: int, user: str, text: str) -> None:
        """Note something on a key, if it is there."""
        state = self._state(lab)
        arguments = {"keys": [{"alias": state.alias(user), "metadata": {"note": text}}], "create": False, "on_unrecoverable": "keep"}
        results = self._do(state, "virtual_keys", arguments)
        exists = state.alias(user) in state.keys
        assert all(result.get("absent", []) == ([] if exists else [state.alias(user)]) for result in results)
        self._sweep(state, [state.alias(user)] if exists else [])

    @rule(lab=lab_numbers, known=st.booleans(), renew=st.booleans(), retire=st.booleans())
    def migrate(self, lab: int, known: bool, renew: bool, retire: bool) -> None:
        """Move the lab to the other gateway. `known`: random values are given. `retire`: the lab is deleted where it was.

        `renew`: keys get new values whose own are unknown, or revoked at the other gateway.
        """
        self._let_grace_end(operations=2)  # what is moved depends on it
        source = self._state(lab)
        target = self.labs[lab][1 - source.site]
        arguments: dict[str, Any] = {"guid": source.guid, "on_unrecoverable": "renew" if renew else "leave"}
        if known:
            arguments["known_values"] = [*source.values.values(), *(former.values for former in source.retired)]

        def obstacle(values: Sequence[str], random: bool) -> str:
            if random and not known:
                return "unrecoverable"
            return "revoked" if values in self.dead[target.site] else ""

        obstacles = {alias: obstacle(source.values[alias], key.random) for alias, key in source.keys.items()}
        keys = [alias for alias, found in obstacles.items() if renew or not found]
        retired = [former for former in source.retired if not self._is_over(former) and not obstacle(former.values, former.random)]
        left = [(alias, found) for alias, found in obstacles.items() if alias not in keys]
        left += [
            (former.alias, "expired" if self._is_over(former) else obstacle(former.values, former.random)) for former in source.retired if former not in retired
        ]
        freed = [source.values[alias] for alias in keys if not obstacles[alias]] + [former.values for former in retired]
        fails = "" if source.keys or source.retired else "nothing_to_migrate"
        if any(alias in target.keys and target.values[alias] not in freed for alias in keys):
            fails = "conflict"
        self.touched = list(SITES)
        results = self._do(source, "key_migration", arguments, fails, wait=False)
        if fails:
            return
        assert all(_summary(result)["left_out"] == sorted(left) for result in results), (left, [result["left_out"] for result in results])
        self.living_at[lab] = target.site
        target.retired = [former for former in target.retired if former.values not in freed] + [replace(former) for former in retired]
        for alias in keys:
            key, values = source.keys[alias], [self._value(result, alias) for result in results]
            if obstacles[alias]:
                self._take(target, alias, values, key.blocked, key.package)
            else:
                assert values == list(source.values[alias]), f"the move changed the value of {alias}"
                target.keys[alias], target.values[alias] = replace(key), source.values[alias]
        if retire:
            results = self._do(source, "key_migration", {**arguments, "retire_source": True}, wait=False)
            assert all(len(result["retired"]) == len(keys) + len(retired) for result in results)
            self.dead[source.site] += [*(source.values.pop(alias) for alias in keys), *(former.values for former in retired)]
            source.keys = {alias: key for alias, key in source.keys.items() if alias not in keys}
            source.retired = [former for former in source.retired if former not in retired]

    @rule(lab=lab_numbers, user=st.sampled_from(USERS))
    def release_1_3_2_makes_a_key(self, lab: int, user: str) -> None:
        state = self._state(lab)
        alias = state.alias(user)
        if alias in state.keys:
            return
        self.legacies += 1
        value = f"sk-random-{self.name}-{self.legacies:020d}"
        for world in self.worlds:
            site = world.sites[state.site]
            site.admin("/key/generate", key=value, key_alias=alias, metadata={"guid": state.guid}, duration="1d", models=[world.models["granite"]])
        self._take(state, alias, [value] * len(self.worlds))
        state.keys[alias].legacy = True

    @rule(at=st.integers(0, 3), answered=st.booleans())
    def the_next_run_is_cut_off(self, at: int, answered: bool) -> None:
        """Cut the next run off and do it again, whatever it does. It must end as if nothing had happened."""
        self.cut = Cut(at, answered)

    @rule()
    def grace_periods_end(self) -> None:
        """Wait until all grace periods but those of an hour have ended."""
        self._wait_for_ends(within=60)

    # ------------------------------------------------------------------------------------------------- invariants
    @invariant()
    def every_value_is_as_expected(self) -> None:
        for number, world in enumerate(self.worlds):
            for state in self._states():
                site = world.sites[state.site]
                for alias, key in state.keys.items():
                    assert site.works(state.values[alias][number]) != key.blocked, f"{world.name} {state.site}: {alias}, {key}"
                for former in state.retired:
                    if not former.sure[number] - SLACK < world.now() < former.until[number] + SLACK:
                        alive = world.now() < former.sure[number] and not former.blocked
                        assert site.works(former.values[number]) == alive, f"{world.name} {state.site}: {former}"
        for number in SITES:
            self._all_are_dead(number, self.dead[number][self.tried[number] :])
            self.tried[number] = len(self.dead[number])

    @invariant()
    def exactly_the_expected_rows_are_there(self) -> None:
        for number, world in enumerate(self.worlds):
            rows = {site: world.sites[site].rows(self.name) for site in self.touched}
            for state in self._states():
                if state.site not in rows:
                    continue
                aliases = [row["key_alias"] for row in rows[state.site] if row["key_alias"].startswith(f"virtkey-{state.guid}-user")]
                assert sorted(alias for alias in aliases if ".retired-" not in alias) == sorted(state.keys), f"{world.name} {state.site}"
                for row in rows[state.site]:
                    package = state.keys[row["key_alias"]].package if row["key_alias"] in state.keys else ""
                    if package:
                        wanted = _limits(self._with_models(world, PACKAGES[package]))
                        assert _limits(row) == wanted, f"{world.name} {state.site}: {row['key_alias']} has {_limits(row)}, not {wanted}"
            if self.bystanders:
                for site, found in rows.items():
                    assert self._bystanders(found) == self.bystanders[number][site], f"{world.name} {site}: somebody else's key was touched"

    def teardown(self) -> None:
        for number in SITES:
            self._all_are_dead(number, self.dead[number])
        for site in (site for world in self.worlds for site in world.sites):
            tokens = [row["token"] for row in site.rows(self.name)]
            if tokens:
                site.admin("/key/delete", keys=tokens)

    # ---------------------------------------------------------------------------------------------------- helpers
    def _state(self, lab: int) -> LabState:
        """Return the lab at the gateway at which it lives."""
        return self.labs[lab][self.living_at[lab]]

    def _states(self) -> list[LabState]:
        """Return the labs at both gateways."""
        return [state for states in self.labs for state in states]

    def _all_are_dead(self, site: int, dead: Sequence[Sequence[str]]) -> None:
        for number, world in enumerate(self.worlds):
            alive_again = [values[number] for values in dead if world.sites[site].works(values[number])]
            assert not alive_again, f"{world.name} {site}: {len(alive_again)} revoked values work"

    def _let_grace_end(self, operations: int = 1) -> None:
        """Wait until no grace period will end while the next operations are under way."""
        self._wait_for_ends(within=operations * max(SHORTEST_WATCH, 2 * self.longest))

    def _wait_for_ends(self, within: float) -> None:
        """Wait until the grace periods that end within so many seconds are over, so that none ends in the middle of an operation."""
        for number, world in enumerate(self.worlds):
            retired = [former for state in self._states() for former in state.retired]
            now, soon = world.now(), world.now() + timedelta(seconds=within)
            ends = [former.until[number] - now for former in retired if former.sure[number] < soon and former.until[number] > now - SLACK]
            if ends:
                world.wait((max(ends) + SLACK).total_seconds() + 1)

    def _do(self, state: LabState, module: str, arguments: dict[str, Any], fails: str = "", wait: bool = True) -> list[dict[str, Any]]:
        """Do it in check mode, for real, and again, in every world, and return the results. `fails` is the error code to expect.

        It is done at the gateway of `state`. A module that needs another one gets the other gateway as its target. Without `wait`,
        the caller has waited for the ends of grace periods.
        """
        if currently_in_test_context():
            note(f"{module} {arguments} {fails}")
        if wait:
            self._let_grace_end()
        self.begun = [world.now() for world in self.worlds]
        results = []
        for world in self.worlds:
            given = {**world.sites[state.site].connection, "secret": SECRET, **self._with_models(world, arguments)}
            if module == "key_migration":
                given["target"] = {name: world.sites[1 - state.site].connection[name] for name in ("url", "api_key")}
            if self.cut:
                _run_cut_off(self.cut, module, given, world.sites[state.site].proxy, world.sites[1 - state.site].proxy)
            predicted = run_module(module, given, check=True, diff=True, no_log=True)
            result = run_module(module, given, diff=True, no_log=True)
            again = run_module(module, given, no_log=True)
            if fails:
                codes = [each.get("code") for each in (predicted, result, again)]
                assert codes == [fails] * 3, (world.name, [each.get("msg") for each in (predicted, result, again)])
            else:
                for each in (predicted, result, again):
                    assert not each.get("failed"), f"{world.name}: {each.get('msg')}"
                assert _summary(predicted) == _summary(result), f"{world.name}: predicted {_summary(predicted)}, and did {_summary(result)}"
                assert not again["changed"] and _summary(again)["counts"]["created"] == 0, f"{world.name}: the second time: {_summary(again)}"
                left = {key["alias"]: key.get("value") for key in keys_of(result) if key["alias"] not in result.get("retired", [])}
                assert {key["alias"]: key.get("value") for key in keys_of(again)} == left, f"{world.name}: the second time has other values"
            results.append(result)
        self.cut = None
        self.done = [world.now() for world in self.worlds]
        self.longest = max(self.longest, *((end - start).total_seconds() for start, end in zip(self.begun, self.done, strict=True)))
        summaries = [_summary(result) for result in results]
        assert all(summary == summaries[0] for summary in summaries), f"{[world.name for world in self.worlds]} disagree: {summaries}"
        return results

    def _with_models(self, world: World, arguments: dict[str, Any]) -> dict[str, Any]:
        models = arguments.get("models")
        return {**arguments, "models": [world.models[model] for model in models]} if models else arguments

    @staticmethod
    def _value(result: dict[str, Any], alias: str) -> str:
        (found,) = [key.get("value", "") for key in keys_of(result) if key["alias"] == alias]
        return str(found)

    def _take(self, state: LabState, alias: str, values: Sequence[str], blocked: bool = False, package: str = "") -> None:
        """Expect these new values under the alias. None of them was ever used before at this gateway."""
        here = [each for each in self._states() if each.site == state.site]
        used = [*self.dead[state.site], *(values for each in here for values in (*each.values.values(), *(former.values for former in each.retired)))]
        assert all(values) and not any(value in group for group in used for value in values), f"a value of {alias} was used before"
        state.keys[alias] = Key(blocked, package=package)
        state.values[alias] = values

    def _bury(self, state: LabState, aliases: Any) -> None:
        """Expect that the keys with these aliases are gone, with their former values."""
        for alias in set(aliases):
            if state.keys.pop(alias, None):
                self.dead[state.site].append(state.values.pop(alias))
        self.dead[state.site] += [former.values for former in state.retired if former.alias in aliases]
        state.retired = [former for former in state.retired if former.alias not in aliases]

    def _sweep(self, state: LabState, aliases: Any) -> None:
        """Expect that values whose grace has ended are gone: a run for their alias deletes them."""
        self.dead[state.site] += [former.values for former in state.retired if former.alias in aliases and self._is_over(former)]
        state.retired = [former for former in state.retired if not (former.alias in aliases and self._is_over(former))]

    def _is_over(self, former: Retired) -> bool:
        return all(world.now() > until for world, until in zip(self.worlds, former.until, strict=True))

    def _bystanders(self, rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        aliases = (f"{self.name}-bot", f"virtkey-{self.name}x-user1")
        moving = ("last_active", "updated_at")
        return {row["key_alias"]: {name: value for name, value in row.items() if name not in moving} for row in rows if row["key_alias"] in aliases}


OPERATIONS: dict[str, Callable[[KeyLives], None]] = {
    "provision": lambda life: life.provision(0, {"user1", "user2"}, "small", False),
    "another package": lambda life: life.provision(0, {"user1", "user2", "user3"}, "large", False),
    "scale down": lambda life: life.provision(0, {"user1"}, "small", True),
    "the nested lab": lambda life: life.provision(1, {"user1"}, "small", True),
    "rotate": lambda life: life.rotate(0, "0s"),
    "rotate with grace": lambda life: life.rotate(0, "1h"),
    "grace ends": lambda life: (life.rotate(0, "15s"), life.grace_periods_end())[0],
    "stop": lambda life: life.stop_or_start(0, True),
    "start": lambda life: life.stop_or_start(0, False),
    "extend": lambda life: life.extend(0, 40),
    "adopt": lambda life: life.adopt(0),
    "revoke": lambda life: life.revoke_one(0, "user1"),
    "annotate": lambda life: life.annotate(0, "user1", "x"),
    "migrate": lambda life: life.migrate(0, known=True, renew=False, retire=False),
    "migrate and retire": lambda life: life.migrate(0, known=False, renew=True, retire=True),
    "cut off": lambda life: life.the_next_run_is_cut_off(0, True),
    "1.3.2": lambda life: life.release_1_3_2_makes_a_key(0, "user3"),
    "destroy": lambda life: life.destroy(0),
}
"""Every operation, for lives that are not left to chance."""


def live_through(life: KeyLives, names: Sequence[str]) -> None:
    """Do the operations in this order, and check everything after each."""
    try:
        life.others_have_keys()
        for name in names:
            OPERATIONS[name](life)
            life.every_value_is_as_expected()
            life.exactly_the_expected_rows_are_there()
    except AssertionError as error:
        error.add_note(f"after {', '.join(names)}")
        raise
    finally:
        life.teardown()


def _run_cut_off(cut: Cut, module: str, given: dict[str, Any], proxy: FaultyProxy, target_proxy: FaultyProxy) -> None:
    """Run the module until it is cut off. From then on no call arrives anywhere."""
    proxies = (proxy, target_proxy)

    def strike(after: bool) -> None:
        if after == cut.answered:
            for each in proxies:
                each.harms = [Harm("refuse")]
            raise ConnectionResetError

    for each in proxies:
        each.harms = [Harm("call", "POST .*", skip=cut.at, times=1, work=strike)]
    target = {"target": {**given["target"], "url": target_proxy.url}} if "target" in given else {}
    run_module(module, {**given, **target, "url": proxy.url, "retries": 0, "parallel_calls": 1})


def _limits(terms: dict[str, Any]) -> dict[str, Any]:
    """Return the limits of a package or of a row, in one form."""
    numbers = {name: None if terms[name] == -1 else terms[name] for name in ("max_budget", "rpm_limit")}
    return {**numbers, "models": sorted(terms["models"])}


def keys_of(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the keys of a result that live; `virtual_key` returns one."""
    keys = result["virtual_keys"] if "virtual_keys" in result else [result["key"]]
    return [key for key in keys if key and key["action"] != "deleted" and not key["retired_from"]]


def _summary(result: dict[str, Any]) -> dict[str, Any]:
    """Return what check mode must predict, and what all worlds must agree upon."""
    if result.get("failed"):
        return {"code": result.get("code")}
    keys = result["virtual_keys"] if "virtual_keys" in result else [result["key"]]
    return {
        "changed": result["changed"],
        "counts": result["counts"],
        "absent": result.get("absent", []),
        "left_out": sorted((each["alias"].partition(".retired-")[0], each["code"]) for each in result.get("left_out", [])),
        "retired": sorted(alias.partition(".retired-")[0] for alias in result.get("retired", [])),
        # Check mode shows the generation at the source of a key that gets a new value by its migration.
        "keys": sorted((key["alias"].partition(".retired-")[0], key["action"], key["generation"]) for key in keys if key),
    }
