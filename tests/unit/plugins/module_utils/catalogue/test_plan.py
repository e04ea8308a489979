# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.catalogue.compare import (
    fits_mask,
    is_secret_name,
    same,
    secret_path,
    with_secrets_masked,
)
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.catalogue.entry import EntryNotes, Kind, LiveEntry, WantedEntry, live_model, model_id
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.catalogue.fingerprint import Fingerprints
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.catalogue.plan import (
    CatalogueAction,
    CataloguePlan,
    CatalogueScope,
    UnwantedEntry,
    plan_catalogue,
    plan_catalogue_deletion,
)
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.key import NOTES_NAME

PRINTS = Fingerprints("the secret of the unit tests")
SET = "default"
MODELS = frozenset((Kind.MODEL,))


def model(name: str = "m", deployment: str = "", **more: Any) -> WantedEntry:
    return WantedEntry(Kind.MODEL, name, SET, deployment, **{"params": {"model": "openai/x"}, **more})


def credential(name: str = "c", key: str = "the key", **more: Any) -> WantedEntry:
    return WantedEntry(Kind.CREDENTIAL, name, SET, **{"secrets": {"api_key": key}, **more})


def live(want: WantedEntry, **more: Any) -> LiveEntry:
    """Return LiteLLM's entry for a created `want`: its secrets are missing or masked."""
    prints = {name: PRINTS.of(want.kind, want.key, name, value) for name, value in want.secrets.items()}
    masked = {name: f"{str(value)[:2]}****{str(value)[-2:]}" for name, value in want.secrets.items() if want.kind is Kind.CREDENTIAL}
    notes = EntryNotes(want.set_name, want.deployment, prints)
    row = LiveEntry(want.kind, want.name, want.key, {**want.params, **masked}, want.info, notes)
    return replace(row, **more)


def plan(wanted: Sequence[WantedEntry], rows: Sequence[LiveEntry] = (), *, exact: frozenset[Kind] = frozenset()) -> CataloguePlan:
    return plan_catalogue(wanted, rows, PRINTS, CatalogueScope(SET, exact))


def actions(made: CataloguePlan) -> list[str]:
    assert made.blockers == [], made.blockers
    return [step.action.value for step in made.steps]


def codes(made: CataloguePlan) -> list[str]:
    return [blocker.code for blocker in made.blockers]


def test_entries_that_are_as_wanted_are_kept() -> None:
    wanted = [credential(), model(secrets={"api_key": "k"}, info={"mode": "chat"})]
    assert actions(plan(wanted)) == ["create", "create"]
    assert actions(plan(wanted, [live(want) for want in wanted])) == ["keep", "keep"]


@pytest.mark.parametrize(
    ("want", "written"),
    [
        (model(params={"model": "openai/y"}), {"model": "openai/y"}),
        (model(params={"model": "openai/x", "rpm": 5}), {"rpm": 5}),
        (model(info={"mode": "chat"}), {"mode": "chat"}),
        (model(secrets={"api_key": "other"}), {"api_key": "other"}),
        (model(blocked=True), {}),
    ],
)
def test_only_what_differs_is_written(want: WantedEntry, written: dict[str, Any]) -> None:
    (step,) = plan([want], [live(model(secrets={"api_key": "k"}))]).steps
    assert step.action is CatalogueAction.UPDATE and {**step.params, **step.secrets, **step.info} == written
    assert "other" not in str([step.before, step.after])


def test_a_price_goes_in_place_and_the_rest_with_the_entry() -> None:
    row = live(model(params={"model": "openai/x", "rpm": 5, "input_cost_per_token": 1.0}, secrets={"api_key": "k"}))
    assert actions(plan([model(params={"input_cost_per_token": None})], [row])) == ["update"]
    assert codes(plan([model(params={"rpm": None})], [row])) == ["secret_needed"]
    (step,) = plan([model(params={"rpm": None}, secrets={"api_key": "k"})], [row]).steps
    assert step.action is CatalogueAction.REPLACE and step.params == {"model": "openai/x", "input_cost_per_token": 1.0} and step.id == row.id


def test_a_note_with_null_is_removed_with_the_entry() -> None:
    (step,) = plan([model(info={"owner": None})], [live(model(info={"owner": "ann", "mode": "chat"}))]).steps
    assert step.action is CatalogueAction.REPLACE and step.info == {"mode": "chat"}


def test_removed_notes_are_restored_and_those_of_other_secrets_stay() -> None:
    want = model(secrets={"api_key": "k"})
    assert actions(plan([want], [live(want, notes=None)])) == ["update"]
    (step,) = plan([model(secrets={"token": "t"})], [live(want)]).steps
    assert step.notes is not None and set(step.notes.secrets) == {"api_key", "token"}


def test_a_key_changed_by_hand_does_not_fit_its_mask() -> None:
    row = live(credential())
    assert actions(plan([credential()], [row])) == ["keep"]
    assert actions(plan([credential()], [replace(row, params={"api_key": "xx****yy"})])) == ["update"]
    assert actions(plan([credential()], [replace(row, params={})])) == ["update"]


def test_names_that_are_taken() -> None:
    foreign = replace(live(model()), id="theirs", notes=None)
    config = replace(foreign, stored=False, id="config")
    assert actions(plan([model()], [foreign])) == ["update"], "a single one is taken over"
    assert codes(plan([model()], [foreign, replace(foreign, id="more")])) == ["name_clash", "name_clash"]
    assert codes(plan([model()], [config])) == ["name_clash"]
    assert actions(plan([model(shares_name=True)], [config, foreign])) == ["create"]
    assert actions(plan([model(deployment="a"), model(deployment="b")], [foreign], exact=MODELS)) == ["create", "create", "delete"]
    assert codes(plan([model()], [config], exact=MODELS)) == ["name_clash"], "no call removes it"
    assert codes(plan([model()], [live(model(), notes=EntryNotes("other"))])) == ["other_set"]
    assert codes(plan([model(id="t")], [replace(foreign, id="t", team="blue")])) == ["name_clash"]
    assert actions(plan([model()], [replace(foreign, team="blue")])) == ["create"], "a team's own model is its own"


def test_exact_is_for_the_set_and_the_kinds_that_are_given() -> None:
    rows = [live(model("old")), live(model("theirs"), notes=EntryNotes("other")), live(model("by hand"), notes=None), live(credential("old"))]
    done = plan([model()], rows, exact=MODELS)
    assert [(step.label, step.action.value) for step in done.steps] == [("m", "create"), ("old", "delete")]


def test_credentials_that_models_need() -> None:
    using = model(params={"model": "openai/x", "litellm_credential_name": "c"})
    assert codes(plan([using])) == ["unknown_credential"]
    assert actions(plan([using, credential()])) == ["create", "create"]
    both = [live(using), live(credential())]
    assert codes(plan_catalogue_deletion([UnwantedEntry(Kind.CREDENTIAL, "c")], both, CatalogueScope(SET))) == ["in_use"]
    assert actions(plan_catalogue_deletion(None, both, CatalogueScope(SET))) == ["delete", "delete"]
    assert codes(plan([credential("d")], both, exact=frozenset((Kind.CREDENTIAL,)))) == ["in_use"]
    moved = model(params={"model": "openai/x", "litellm_credential_name": "d"})
    assert actions(plan([moved, credential("d")], both, exact=frozenset(Kind))) == ["update", "create", "delete"]


def test_deletion_by_name_deployment_and_id() -> None:
    rows = [live(model(deployment="a")), live(model(deployment="b")), live(model("m2"))]
    for unwanted, left in ((UnwantedEntry(Kind.MODEL, "m"), 2), (UnwantedEntry(Kind.MODEL, "m", "a"), 1), (UnwantedEntry(Kind.MODEL, "m", id=rows[1].id), 1)):
        assert actions(plan_catalogue_deletion([unwanted], rows, CatalogueScope(SET))) == ["delete"] * left
    assert codes(plan_catalogue_deletion([UnwantedEntry(Kind.MODEL, "m")], [replace(rows[0], stored=False)], CatalogueScope(SET))) == ["config_model"]


def test_deletion_spares_another_set() -> None:
    unwanted = [UnwantedEntry(Kind.MODEL, "m"), UnwantedEntry(Kind.CREDENTIAL, "c")]
    for want in (model(), credential()):
        assert codes(plan_catalogue_deletion(unwanted, [live(want, notes=EntryNotes("other"))], CatalogueScope(SET))) == ["other_set"]
        for mine in (EntryNotes(SET), EntryNotes(), None):
            assert actions(plan_catalogue_deletion(unwanted, [live(want, notes=mine)], CatalogueScope(SET))) == ["delete"]


def test_ids_differ_by_name_and_deployment() -> None:
    assert len({model_id("m", ""), model_id("m", "a"), model_id("ma", ""), model_id("a", "m")}) == 4
    assert model_id("m", "a") == model_id("m", "a")


@pytest.mark.parametrize("notes", [None, "text", {}, {"format": 2}, {"format": "1"}])
def test_unreadable_notes_count_as_missing(notes: Any) -> None:
    row = live_model({"model_name": "m", "litellm_params": {}, "model_info": {"id": "i", NOTES_NAME: notes}})
    assert row.notes is None and not row.stored


def test_fingerprints_differ_for_different_secrets() -> None:
    print_ = PRINTS.of("model", "m", "api_key", "k")
    others = [("credential", "m", "api_key", "k"), ("model", "n", "api_key", "k"), ("model", "m", "token", "k"), ("model", "m", "api_key", "K")]
    assert print_ == Fingerprints("the secret of the unit tests").of("model", "m", "api_key", "k")
    assert len({print_, *(PRINTS.of(*other) for other in others), Fingerprints("another secret").of("model", "m", "api_key", "k")}) == 6
    with pytest.raises(ValueError, match="is empty"):
        Fingerprints("")


@pytest.mark.parametrize(
    ("value", "shown", "fits"),
    [
        ("sk-abcdef", None, True),
        ("sk-abcdef", "sk****ef", True),
        ("sk-abcdef", "sk****xx", False),
        ("short", "*****", True),
        ("plain", "plain", True),
        ("plain", "other", False),
        (5, "*", True),
        ({"A": "Bearer 1234"}, {"A": "Bear***1234"}, True),
        ({"A": "Bearer 1234"}, {"A": "Bear***1234", "B": "x"}, False),
        (["abc"], ["a*c"], True),
        ("line\nbreak", "li****ak", True),
    ],
)
def test_masks(value: Any, shown: Any, fits: bool) -> None:
    assert fits_mask(value, shown) is fits


def test_names_of_secrets() -> None:
    assert all(map(is_secret_name, ("api_key", "aws_secret_access_key", "Authorization", "X-Auth-Token", "vertex_credentials")))
    assert not any(map(is_secret_name, ("max_tokens", "input_cost_per_token", "litellm_credential_name", "api_base", "keyword", "monkey")))
    assert secret_path("extra_headers", {"X": "y", "In": [{"password": "p"}]}) == "extra_headers.In.password"
    assert secret_path("auth", {"kind": "none"}) == "" and secret_path("token", 5) == ""


def test_secrets_that_litellm_does_not_mask_are_masked() -> None:
    shown = with_secrets_masked({"api_key": "sk****34", "password": "open", "headers": {"token": "open"}, "odd": "open", "base": "b"}, frozenset(("odd",)))
    assert shown == {"api_key": "sk****34", "password": "********", "headers": {"token": "********"}, "odd": "********", "base": "b"}


def test_true_is_not_one_and_groups_have_no_order() -> None:
    assert same("rpm", 1, 1.0) and not same("flag", True, 1) and same("flag", False, False) and not same("flag", False, None)
    assert same("access_groups", ["a", "b"], ["b", "a"]) and not same("tags", ["a", "b"], ["b", "a"])
