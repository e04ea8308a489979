# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The fixture `vendor_gateway`: a gateway with vendors behind it, configured as in the guide to providers."""

from __future__ import annotations

import contextlib
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import CACHE_TTL_SECONDS, MOCK_MODELS, Gateway, gatewayctl, software_variables
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.vendors import Vendors

GUIDE = Path(__file__).parents[3] / "docs" / "docsite" / "rst" / "providers.rst"

ADDRESSES = {
    "https://api.openai.com": "openai",
    "https://api.anthropic.com": "anthropic",
    "https://api.cohere.com": "cohere",
    "https://router.huggingface.co": "huggingface",
    "https://api.endpoints.anyscale.com": "anyscale",
    "https://generativelanguage.googleapis.com": "google",
    "https://us-central1-aiplatform.googleapis.com": "vertex",
    "https://api.vectara.io": "vectara",
}
"""The addresses in the guide, with the vendor whose stand-in replaces each."""

SERVICE_ACCOUNT = "/etc/litellm/vertex-ai.json"
"""The file that the guide names; a file for the stand-in replaces it."""

FOR_LIMITS = {
    "litellm_gateway_models": [
        {
            "model_name": "dear",
            "litellm_params": {
                "model": "openai/gpt-4o",
                "mock_response": "One dollar, please.",
                "input_cost_per_token": 0.05,
                "output_cost_per_token": 0.05,
            },
        },
        {"model_name": "slow", "litellm_params": {"model": "openai/gpt-4o", "mock_response": "At last.", "mock_delay": 1}},
    ],
    "litellm_gateway_general_settings": {"proxy_budget_rescheduler_min_time": 1, "proxy_budget_rescheduler_max_time": 1},
}
"""An expensive model, a slow one, and budgets that LiteLLM resets every second instead of every ten minutes."""


@dataclass(frozen=True)
class VendorGateway:
    """The gateway, the stand-ins behind it, and the package of the guide."""

    gateway: Gateway
    vendors: Vendors
    guide: dict[str, Any]


def guide_variables() -> dict[str, Any]:
    """Return all YAML of the guide merged into one mapping, as an admin who wants every vendor would have it."""
    text = GUIDE.read_text(encoding="utf-8")
    blocks = re.findall(r"^\.\. code-block:: yaml\n\n((?:   .*\n|\n)+)", text, re.MULTILINE)
    result: dict[str, Any] = {}
    for block in blocks:
        for name, value in yaml.safe_load(textwrap.dedent(block)).items():
            result[name] = joined(result.get(name), value)
    return result


def joined(one: Any, other: Any) -> Any:
    if isinstance(one, dict):
        return {**one, **{name: joined(one.get(name), value) for name, value in other.items()}}
    return one + other if isinstance(one, list) else other


@pytest.fixture(scope="module")
def vendor_gateway(gateway_folder: Path, request: pytest.FixtureRequest) -> Iterator[VendorGateway]:
    """A gateway for the tests of a file that need vendors, prices or delays; its start takes half a minute.

    It resets budgets all the time, so it ends with these tests.
    """
    vendors = Vendors()
    guide = guide_variables()
    text = yaml.safe_dump(joined(guide, FOR_LIMITS))
    for address, vendor in ADDRESSES.items():
        assert address in text, f"the guide does not name {address}"
        text = text.replace(address, vendors.url(vendor))
    account = gateway_folder / "vertex-ai.json"
    account.write_text(vendors.service_account(), encoding="utf-8")
    text = text.replace(SERVICE_ACCOUNT, str(account))
    directory = gateway_folder / f"vendors-{request.path.stem}"
    variables = {
        **yaml.safe_load(text),
        **{f"vault_{name}_key": vendor.key for name, vendor in vendors.all.items()},
        "litellm_gateway_dir": str(directory),
        **software_variables(),
        "litellm_gateway_mock_models": MOCK_MODELS,
        "litellm_gateway_postgres_settings": {"fsync": "off"},
    }
    variables["litellm_gateway_general_settings"]["user_api_key_cache_ttl"] = CACHE_TTL_SECONDS
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        print("\nStarting a LiteLLM with stand-ins for vendors behind it (30 s) ...", file=sys.stderr, flush=True)
    Playbooks(gateway_folder)("gateway", variables)
    yield VendorGateway(Gateway(directory), vendors, guide)
    gatewayctl(directory, "stop")
    vendors.close()
