# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The environment variables of a gateway: documentation that must repeat the order in `litellm/options.py` agrees with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.plugins.doc_fragments.gateway import ModuleDocFragment
from ansible_collections.rhpds.litellm_virtual_keys.plugins.lookup import virtual_key
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.options import VALUE_SPEC
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.options import (
    API_KEY_ENVIRONMENT,
    GATEWAY_SPEC,
    SECRET_ENVIRONMENT,
    URL_ENVIRONMENT,
)

ENVIRONMENT = {"url": URL_ENVIRONMENT, "api_key": API_KEY_ENVIRONMENT, "secret": SECRET_ENVIRONMENT}


def documented(options: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return the variables of a plugin's option in the order of precedence. In Ansible's list the last one that is set wins."""
    return tuple(each["name"] for each in reversed(options[name]["env"]))


@pytest.mark.parametrize(("name", "spec"), [("url", GATEWAY_SPEC), ("api_key", GATEWAY_SPEC), ("secret", VALUE_SPEC)])
def test_modules_fall_back_to_them(name: str, spec: Mapping[str, Any]) -> None:
    assert tuple(spec[name]["fallback"][1]) == ENVIRONMENT[name]


@pytest.mark.parametrize("name", ["url", "api_key"])
def test_plugins_that_take_the_gateways_options_document_the_same_order(name: str) -> None:
    assert documented(yaml.safe_load(ModuleDocFragment.PLUGIN)["options"], name) == ENVIRONMENT[name]


@pytest.mark.parametrize("name", ["secret", "api_key"])
def test_the_lookup_documents_the_same_order(name: str) -> None:
    assert documented(yaml.safe_load(virtual_key.DOCUMENTATION)["options"], name) == ENVIRONMENT[name]


@pytest.mark.parametrize("name", ["url", "api_key"])
def test_the_documentation_of_modules_names_them_in_this_order(name: str) -> None:
    words = " ".join(yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"][name]["description"])
    places = [words.index(f"E({variable})") for variable in ENVIRONMENT[name]]
    assert places == sorted(places)
