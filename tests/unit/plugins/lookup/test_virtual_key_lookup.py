# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The lookup `virtual_key` returns the same values as the modules mint."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import yaml
from ansible import constants
from ansible.errors import AnsibleLookupError
from ansible_collections.rhpds.litellm_virtual_keys.plugins.doc_fragments.gateway import ModuleDocFragment
from ansible_collections.rhpds.litellm_virtual_keys.plugins.lookup import virtual_key
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.key import Notes
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.notes import NOTES_NAME
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import MASTER_KEY as MASTER_OF_THE_MODEL
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.served_model import ServedModel

SECRET = "a secret of 16 or more"
MASTER = "sk-master-0123456789"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LITELLM_BASE_URL", "LITELLM_DERIVATION_SECRET", "LITELLM_MASTER_KEY", "LITELLM_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@cache
def declared_options() -> dict[str, Any]:
    """Return the options with those of the documentation fragments."""
    fragments = (ModuleDocFragment.DOCUMENTATION, ModuleDocFragment.PLUGIN, virtual_key.DOCUMENTATION)
    options: dict[str, Any] = {}
    for text in fragments:
        for name, option in yaml.safe_load(text)["options"].items():
            options[name] = {**options.get(name, {}), **option}
    return options


def look_up(*terms: Any, generation: Any = 0, **options: Any) -> list[str]:
    """Run the plugin with the options that its documentation declares, as the plugin loader does."""
    if generation is not None:
        options["generation"] = generation
    name = "rhpds.litellm_virtual_keys.virtual_key"
    declared = declared_options()
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
        (["a"], {"secret": SECRET, "generation": None}, "neither url nor generation is given; give the address of the gateway"),
        (["a"], {"secret": SECRET, "generaton": 1}, "there is no option generaton; choose among guid, generation"),
    ],
)
def test_bad_input(terms: list[str], options: dict[str, Any], message: str) -> None:
    with pytest.raises(AnsibleLookupError, match=message) as caught:
        look_up(*terms, **options)
    assert SECRET not in str(caught.value)


# ------------------------------------------------------------------------------------------------- with a gateway
def test_the_gateway_says_which_generation_is_in_service() -> None:
    with ServedModel() as served:
        for generation, alias in ((0, "team-red"), (4, "team-blue"), (2, "virtkey-abc12-user1")):
            notes = {NOTES_NAME: Notes(generation=generation).to_metadata()}
            body = {"key": derive.value(SECRET, alias, generation), "key_alias": alias, "metadata": notes}
            assert served.model.handle("POST", "/key/generate", {}, body)[0] == 200
        served.model.handle("POST", "/key/generate", {}, {"key": "sk-made-by-somebody-else", "key_alias": "team-green"})
        gateway = {"generation": None, "url": served.url, "api_key": MASTER_OF_THE_MODEL, "secret": SECRET, "retries": 0}
        assert look_up("team-blue", "team-red", **gateway) == [derive.value(SECRET, "team-blue", 4), derive.value(SECRET, "team-red", 0)]
        assert look_up("user1", guid="abc12", **gateway) == [derive.value(SECRET, "virtkey-abc12-user1", 2)]
        for alias in ("team-green", "team"):
            with pytest.raises(AnsibleLookupError, match=f"the gateway has no key {alias} whose value can be derived from this secret") as caught:
                look_up(alias, **gateway)
            assert SECRET not in str(caught.value)
