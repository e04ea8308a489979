# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The models of the real gateway, and who may list them."""

from __future__ import annotations

from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.call_module import call_module
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import MOCK_MODELS
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.live import GRANITE, Live


def test_the_models_of_the_gateway(live: Live) -> None:
    result = call_module("gateway_info", live.connection())
    assert set(MOCK_MODELS) <= set(result["models"])
    assert result["models"] == sorted(result["models"])
    assert (result["changed"], result["calls"]) == (False, 2)


def test_a_key_that_sees_a_part_of_them_is_refused(live: Live) -> None:
    (key,) = live.lab()["virtual_keys"]
    result = call_module("gateway_info", live.connection(api_key=key["value"]))
    assert result["failed"], result
    assert "models" not in result
    assert key["value"] not in str(result)


def test_a_policy_is_compared_with_them(live: Live, playbook: Playbooks) -> None:
    variables = {
        "litellm_url": live.gateway.url,
        "policy_check_rules": [{"name": "denylist", "config": {"list": ["grok/*"]}}, {"name": "email", "config": {"pattern": "*@example.com"}}],
        "policy_check_cases": [
            {"email": "user@example.com", "model": GRANITE, "decision": "APPROVE"},
            {"email": "user@example.com", "model": "openai/gpt-99", "decision": "DENY", "rule": "none"},
        ],
    }
    done = playbook("policy_check", variables, environment=live.gateway.environment)
    assert "the pattern 'grok/*' matches none of the" in done.output
    assert "2 cases agree with the chain" in done.output or done.output.count("\nok  ") == 2
