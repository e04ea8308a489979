# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The lookup `virtual_key` returns the same values as the modules mint."""

from __future__ import annotations

from typing import Any

import pytest
from ansible import constants
from ansible.errors import AnsibleLookupError
from ansible.parsing.plugin_docs import read_docstring
from ansible_collections.rhpds.litellm_virtual_keys.plugins.lookup import virtual_key
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive

SECRET = "a secret of 16 or more"
MASTER = "sk-master-0123456789"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LITELLM_DERIVATION_SECRET", "LITELLM_MASTER_KEY", "LITELLM_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def look_up(*terms: Any, **options: Any) -> list[str]:
    """Run the plugin with the options that its documentation declares, as the plugin loader does."""
    name = "rhpds.litellm_virtual_keys.virtual_key"
    declared = read_docstring(virtual_key.__file__)["doc"]["options"]
    constants.config.initialize_plugin_configuration_definitions("lookup", name, declared)
    plugin = virtual_key.LookupModule()
    plugin._load_name = plugin.ansible_name = name
    return plugin.run(list(terms), variables={}, **options)


def test_by_alias() -> None:
    assert look_up("team-red", "team-blue", secret=SECRET) == [derive.value(SECRET, "team-red"), derive.value(SECRET, "team-blue")]


def test_by_lab_and_user() -> None:
    assert look_up(guid="abc12", secret=SECRET) == [derive.value(SECRET, "virtkey-abc12")]
    assert look_up("user1", guid="abc12", secret=SECRET) == [derive.value(SECRET, "virtkey-abc12-user1")]


def test_generation() -> None:
    assert look_up("a", secret=SECRET, generation=3) == [derive.value(SECRET, "a", 3)]
    assert look_up("a", secret=SECRET, generation="3") == [derive.value(SECRET, "a", 3)]


def test_the_secret_comes_from_the_same_sources_as_in_the_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITELLM_API_KEY", "sk-the-last-resort")
    assert look_up("a") == [derive.value("sk-the-last-resort", "a")]
    monkeypatch.setenv("LITELLM_MASTER_KEY", MASTER)
    assert look_up("a") == [derive.value(MASTER, "a")]
    monkeypatch.setenv("LITELLM_DERIVATION_SECRET", SECRET)
    assert look_up("a") == [derive.value(SECRET, "a")]
    assert look_up("a", master_key=MASTER, secret="") == [derive.value(MASTER, "a")]


@pytest.mark.parametrize(
    ("terms", "options", "message"),
    [
        ([], {"secret": SECRET}, "neither an alias nor guid"),
        (["a"], {}, "no secret is known"),
        (["a"], {"secret": "short"}, "secret has 5 characters"),
        (["a b"], {"secret": SECRET}, "alias is 'a b'"),
        (["a"], {"secret": SECRET, "guid": "../x"}, "guid is"),
        (["a/b"], {"secret": SECRET, "guid": "abc12"}, "user is 'a/b'"),
        (["a"], {"secret": SECRET, "generation": -1}, "generation -1"),
        (["a"], {"secret": SECRET, "generaton": 1}, "there is no option generaton; choose among guid, generation"),
    ],
)
def test_bad_input(terms: list[str], options: dict[str, Any], message: str) -> None:
    with pytest.raises(AnsibleLookupError, match=message) as caught:
        look_up(*terms, **options)
    assert SECRET not in str(caught.value)
