# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.limits import LIMITS_SPEC
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.workload import terms

P = "ocp4_workload_litellm_virtual_keys_"
PACKAGES: dict[str, Any] = {
    "small": {"models": ["a", "b"], "duration": "7d", "rpm_limit": 9, "description": "for a start"},
    "as text": '{"models": "a,b", "duration": "7d", "max_budget": "2", "tpm_limit": "9"}',
    "misspelt": {"modles": ["a"], "duration": "7d", "budget": 3},
    "no models": {"duration": "7d"},
    "no duration": {"models": ["a"]},
    "null": None,
    "text": "a",
    "list": ["a"],
    "no limit": {"models": ["a"], "duration": "never", "max_budget": "", "rpm_limit": None},
    "bad limit": {"models": ["a"], "duration": "7d", "rpm_limit": "fast"},
    "bad models": {"models": {"a": 1}, "duration": "7d"},
}
DOCLING = {"model": "Docling", "endpoint": "https://litellm.example.com/docling/v1/convert/source"}


def test_a_limit_that_the_package_does_not_name_is_removed_from_keys() -> None:
    expected = {**terms.NO_LIMITS, "models": ["a", "b"], "duration": "7d", "rpm_limit": 9, "package": "small", "docling": {}}
    assert terms.terms(PACKAGES, "small", {}) == expected
    assert terms.terms(PACKAGES, "no limit", {}) == {**terms.NO_LIMITS, "models": ["a"], "duration": "never", "package": "no limit", "docling": {}}


def test_every_setting_of_a_package_is_an_option_of_the_module() -> None:
    not_for_packages = {"extend_for", "extend_until", "model_max_budget", "metadata", "user_id", "package"}
    assert set(terms.SETTINGS) == LIMITS_SPEC.keys() - not_for_packages


def test_packages_may_be_text() -> None:
    found = terms.terms(PACKAGES, "as text", {})
    assert (found["models"], found["duration"], found["max_budget"], found["tpm_limit"]) == (["a", "b"], "7d", 2.0, 9)
    assert terms.terms('{"one": {"models": ["a"], "duration": "1d"}}', "one", {})["models"] == ["a"]


@pytest.mark.parametrize(
    ("own", "more", "expected"),
    [
        ({"models": ["c"]}, {}, {"models": ["c"]}),
        ({"models": "c,d"}, {}, {"models": ["c", "d"]}),
        ({"duration": "1d"}, {}, {"duration": "1d"}),
        ({"max_budget": 0}, {}, {"max_budget": 0.0}),
        ({"models": None, "duration": None, "max_budget": None}, {}, {"models": ["a", "b"], "duration": "7d", "max_budget": -1}),
        ({"models": "", "duration": "", "max_budget": ""}, {}, {"models": ["a", "b"], "duration": "7d", "max_budget": -1}),
        ({}, {"runtime": "36h"}, {"duration": "36h"}),
        ({"duration": "1d"}, {"runtime": "36h"}, {"duration": "36h"}),
        ({}, {"docling": DOCLING}, {"models": ["a", "b", "Docling"], "docling": DOCLING}),
        ({"models": ["c", "Docling"]}, {"docling": DOCLING}, {"models": ["c", "Docling"]}),
    ],
)
def test_what_the_caller_sets_replaces_the_package_s_settings(own: dict[str, Any], more: dict[str, Any], expected: dict[str, Any]) -> None:
    found = terms.terms(PACKAGES, "small", own, **more)
    assert {name: found[name] for name in expected} == expected
    assert PACKAGES["small"]["models"] == ["a", "b"], "the package stays as it is"


def test_own_settings_complete_a_package() -> None:
    assert terms.terms(PACKAGES, "no models", {"models": ["c"]})["models"] == ["c"]
    assert terms.terms(PACKAGES, "no duration", {"duration": "1d"})["duration"] == "1d"
    assert terms.terms(PACKAGES, "no duration", {}, "2h")["duration"] == "2h"
    assert terms.terms(PACKAGES, "null", {"models": ["c"], "duration": "1d"})["models"] == ["c"]


@pytest.mark.parametrize(
    ("packages", "package", "own", "words"),
    [
        (
            PACKAGES,
            "gold",
            {},
            [f"{P}subscription_package is 'gold', and there is no such package; choose one of small, as text", f"or add it to {P}packages."],
        ),
        (None, "gold", {}, [f"{P}packages is empty, so add it there."]),
        ("gold", "gold", {}, [f"{P}packages is a text; give a mapping of names to values."]),
        (["gold"], "gold", {}, [f"{P}packages is a list; give a mapping of names to values."]),
        (
            PACKAGES,
            "misspelt",
            {},
            [f"The package 'misspelt' in {P}packages has budget, modles, which no package can have; correct it to one of models, duration"],
        ),
        (PACKAGES, "text", {}, [f"the package 'text' in {P}packages is a text; give a mapping"]),
        (PACKAGES, "list", {}, [f"the package 'list' in {P}packages is a list; give a mapping"]),
        (PACKAGES, "null", {}, [f"The package 'null' in {P}packages has no models; add it, or set {P}models."]),
        (PACKAGES, "no models", {}, [f"The package 'no models' in {P}packages has no models; add it, or set {P}models."]),
        (PACKAGES, "no duration", {}, [f"has no duration; add it, or set {P}duration."]),
        (PACKAGES, "bad limit", {}, [f"rpm_limit of the package 'bad limit' in {P}packages is 'fast'; give a whole number"]),
        (PACKAGES, "bad models", {}, [f"models of the package 'bad models' in {P}packages is a mapping; give a list of texts."]),
        (PACKAGES, "small", {"models": []}, [f"{P}models is empty; name at least one model."]),
        (PACKAGES, "small", {"models": {"a": 1}}, [f"{P}models is a mapping; give a list of texts."]),
        (PACKAGES, "small", {"duration": "soon"}, [f"{P}duration is 'soon', which is not a duration"]),
        (PACKAGES, "small", {"duration": 30}, [f"{P}duration is '30', which is not a duration"]),
        (PACKAGES, "small", {"max_budget": "much"}, [f"{P}max_budget is 'much'; give a number of USD"]),
    ],
)
def test_a_problem_is_one_sentence_with_the_name_of_the_variable(packages: Any, package: str, own: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ValueError, match=r"\.$") as caught:
        terms.terms(packages, package, own)
    for word in words:
        assert word in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("runtime", "duration"),
    [(None, ""), ("", ""), ("36", "36h"), (36, "36h"), ("007", "7h"), ("1.5", "90m"), (2.0, "2h"), ("0.125", "8m"), ("0.375", "22m"), ("0.001", "1m")],
)
def test_a_runtime_becomes_a_duration(runtime: Any, duration: str) -> None:
    assert terms.runtime_duration({"runtime": runtime}) == duration


@pytest.mark.parametrize("runtime", ["x", 0, "0.0", -1, "inf", True, [], "1e3"])
def test_a_runtime_that_is_no_number_of_hours_is_refused(runtime: Any) -> None:
    with pytest.raises(ValueError, match=r"agnosticd_user_info.runtime is .*, which is not a number of hours above zero; correct it."):
        terms.runtime_duration({"runtime": runtime})


@pytest.mark.parametrize("user_info", [None, "", "text", [], {}])
def test_other_user_info_has_no_runtime(user_info: Any) -> None:
    assert terms.runtime_duration(user_info) == ""
