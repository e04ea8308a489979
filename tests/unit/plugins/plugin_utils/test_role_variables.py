# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Misspelt variables of a role are found, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.rhpds.litellm_virtual_keys.plugins.filter.misspelt_variables import misspelt_variables

PROFILE = "ocp4_workload_litellm_bastion_profile"
ROLE = Path(__file__).parents[4] / "roles" / PROFILE
KNOWN = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())[f"__{PROFILE}_names"]


def test_the_role_knows_the_variables_of_its_argument_specs() -> None:
    options = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]["workload"]["options"]
    assert {f"{PROFILE}_{name}" for name in KNOWN} == options.keys()


@pytest.mark.parametrize(
    ("name", "meant"),
    [("acount", "account"), ("model", "models"), ("pathh", "path"), ("path", ""), ("user", ""), ("catch_all", ""), ("", "")],
)
def test_a_slip_is_named_with_what_was_meant(name: str, meant: str) -> None:
    found = misspelt_variables([f"{PROFILE}_{name}", "path", f"other_{name}", f"__{PROFILE}_{name}"], PROFILE, KNOWN)
    sentence = f"{PROFILE}_{name} is set, but there is no such variable; correct it to {PROFILE}_{meant}, or take it out."
    assert found == ([sentence] if meant else [])


def test_no_name_of_the_role_is_a_slip_of_another() -> None:
    assert misspelt_variables([f"{PROFILE}_{name}" for name in KNOWN], PROFILE, KNOWN) == []


@pytest.mark.parametrize(("names", "known"), [("text", []), ([], "text")])
def test_anything_but_lists_is_refused(names: object, known: object) -> None:
    with pytest.raises(AnsibleFilterError, match="give lists of names"):
        misspelt_variables(names, PROFILE, known)  # type: ignore[arg-type]
