# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import limits
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.key import WantedKey
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.options import policy_of
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.plan import OnUnrecoverable, Policy
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.options import secret_of
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import START

VALUES = {"on_unrecoverable": "fail", "rotation_grace": "0s", "first_generation": 0}


def wanted(now: datetime = START, **params: Any) -> WantedKey:
    return limits.wanted_key("a", params, lambda: now)


def test_options_that_are_not_given_are_not_wanted() -> None:
    assert wanted() == WantedKey("a")
    assert limits.wanted_key("a", dict.fromkeys(limits.LIMITS_SPEC), lambda: START) == WantedKey("a")


def test_everything() -> None:
    key = wanted(
        models=["b", "a", "b"],
        duration="30d",
        max_budget=5.0,
        soft_budget=4.0,
        budget_duration="7d",
        rpm_limit=1,
        tpm_limit=2,
        max_parallel_requests=3,
        model_max_budget={"a": {"budget_limit": 1}},
        allowed_routes=["llm_api_routes"],
        tags=["x"],
        metadata={"owner": "o"},
        user_id="u",
        team_id="t",
        package="p",
        rotation="r",
    )
    assert key.fields == {
        "models": ["b", "a"],
        "max_budget": 5.0,
        "soft_budget": 4.0,
        "budget_duration": "7d",
        "rpm_limit": 1,
        "tpm_limit": 2,
        "max_parallel_requests": 3,
        "model_max_budget": {"a": {"budget_limit": 1}},
        "allowed_routes": ["llm_api_routes"],
        "user_id": "u",
        "team_id": "t",
    }
    assert key.metadata == {"owner": "o", "tags": ["x"]}
    assert (key.lifetime, key.rotation, key.package, key.endless) == (30 * 86_400, "r", "p", False)


def test_removal() -> None:
    key = wanted(max_budget=-1.0, rpm_limit=-1, budget_duration="never", user_id="", team_id="", tags=[], allowed_routes=[])
    assert key.fields == {"max_budget": None, "rpm_limit": None, "budget_duration": None, "user_id": None, "team_id": None, "allowed_routes": []}
    assert key.metadata == {"tags": None}


def test_zero_is_a_limit() -> None:
    assert wanted(max_budget=0.0, rpm_limit=0).fields == {"max_budget": 0.0, "rpm_limit": 0}


def test_never() -> None:
    assert wanted(duration="never").lifetime is None and wanted(duration="never").renews
    assert not wanted().renews


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"max_budget": -2.0}, "^max_budget is -2.0; give a number from 0 to 1000000000000, or -1"),
        ({"max_budget": float("nan")}, "^max_budget is nan; give a number"),
        ({"max_budget": float("inf")}, "^max_budget is inf; give a number"),
        ({"soft_budget": float("-inf")}, "^soft_budget is -inf"),
        ({"rpm_limit": -5}, "^rpm_limit is -5"),
        ({"tpm_limit": 2**63}, "^tpm_limit is 9223372036854775808"),
        ({"max_parallel_requests": 2**31}, "^max_parallel_requests is 2147483648"),
        ({"models": []}, "^models is empty"),
        ({"models": ["a", ""]}, "^models holds an empty name"),
        ({"models": [" a"]}, "blanks around it"),
        ({"allowed_routes": [""]}, "^allowed_routes holds"),
        ({"tags": ["a "]}, "^tags holds"),
        ({"duration": "1h30m"}, "^duration is '1h30m'"),
        ({"duration": ""}, "^duration is ''"),
        ({"duration": "0s"}, "lasts no time"),
        ({"budget_duration": "30D"}, "^budget_duration is '30D'"),
        ({"extend_for": "1y"}, "^extend_for is '1y'"),
        ({"extend_until": "tomorrow"}, "^extend_until is 'tomorrow'"),
        ({"extend_until": "2026-11-21T11:59:59Z"}, "^extend_until is .*, which has passed"),
        ({"extend_until": "2126-11-21T12:00:00Z"}, "more than ten years"),
        ({"extend_until": "0001-01-01T00:00:00+14:00"}, "not a time of the years 1970 to 9900"),
        ({"extend_until": "9999-12-31T23:59:59-14:00"}, "not a time of the years 1970 to 9900"),
    ],
)
def test_refused(params: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        wanted(**params)
    assert "\n" not in str(caught.value)


def test_extension() -> None:
    assert wanted(extend_for="7d").expires_by == START + timedelta(days=7)
    assert wanted(extend_until="2026-11-23T12:00:00").expires_by == START + timedelta(days=2)
    assert wanted(extend_for="1d", extend_until="2026-11-23T12:00:00Z").expires_by == START + timedelta(days=2)
    assert wanted(extend_for="", extend_until="").expires_by is None


def test_secret() -> None:
    assert secret_of({"secret": None, "api_key": "sk-x"}) == "sk-x"
    assert secret_of({"secret": "", "api_key": "sk-x"}) == "sk-x"
    for new_values in (False, True):
        assert secret_of({"secret": "0123456789abcdef", "api_key": "sk-x"}, new_values=new_values) == "0123456789abcdef"
        assert secret_of({"secret": None, "api_key": "sk-3456789abcdef"}, new_values=new_values) == "sk-3456789abcdef"
    with pytest.raises(ValueError, match="^secret is not given, and api_key has 15 characters.*give a secret of at least 16 characters") as caught:
        secret_of({"secret": None, "api_key": "sk-345678abcdef"}, new_values=True)
    assert "345678" not in str(caught.value)
    with pytest.raises(ValueError, match="^secret has 15 characters; give at least 16") as caught:
        secret_of({"secret": "0123456789abcde", "api_key": "sk-x"})
    assert "0123" not in str(caught.value)


@pytest.mark.parametrize(("grace", "seconds"), [("0", 0), ("0s", 0), ("0d", 0), ("90s", 90), ("24h", 86_400)])
def test_policy(grace: str, seconds: int) -> None:
    policy = policy_of({**VALUES, "rotation_grace": grace, "on_unrecoverable": "keep"}, prune=True)
    assert policy == Policy(prune=True, on_unrecoverable=OnUnrecoverable.KEEP, grace=seconds)


@pytest.mark.parametrize("generation", [-1, 1_000_000])
def test_no_generation(generation: int) -> None:
    with pytest.raises(ValueError, match=f"^first_generation is {generation}; give a number from 0 to 999999"):
        policy_of({**VALUES, "first_generation": generation})


@pytest.mark.parametrize("grace", ["", "-1s", "1h30m", "soon"])
def test_no_grace(grace: str) -> None:
    with pytest.raises(ValueError, match="^rotation_grace is "):
        policy_of({**VALUES, "rotation_grace": grace})


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"a": [2**53 + 1]}, "^metadata holds the number 9007199254740993, which LiteLLM's database would round"),
        ({"a": -(2**53) - 1}, "^metadata holds the number"),
        ({"litellm_virtual_keys": {}}, "^metadata holds litellm_virtual_keys, under which this collection keeps"),
        ({"litellm_virtual_keys_orphan": None}, "^metadata holds litellm_virtual_keys_orphan, "),
    ],
)
def test_metadata_that_cannot_be_kept(metadata: dict[str, Any], words: str) -> None:
    assert wanted(metadata={"a": 2**53, "b": True}).metadata == {"a": 2**53, "b": True}
    with pytest.raises(ValueError, match=words):
        wanted(metadata=metadata)


@pytest.mark.parametrize(
    ("metadata", "place"),
    [
        (
            {"logging": [{"callback_vars": {"langfuse_host": "https://x"}}, {"callback_vars": {"langfuse_secret_key": "s"}}]},
            "logging[1].callback_vars.langfuse_secret_key",
        ),
        ({"callback_settings": {"callback_vars": {"gcs_path_service_account": "{}"}}}, "callback_settings.callback_vars.gcs_path_service_account"),
    ],
)
def test_secrets_that_litellm_encrypts_in_metadata_are_refused(metadata: dict[str, Any], place: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"metadata holds {place}, which LiteLLM encrypts")):
        wanted(metadata=metadata)


@pytest.mark.parametrize(
    "metadata", [{"logging": [{"callback_vars": {"langfuse_host": "https://x", "max_tokens": "5"}}, "x"]}, {"logging": "x"}, {"api_key": "x"}]
)
def test_other_metadata_about_logging_is_taken(metadata: dict[str, Any]) -> None:
    assert wanted(metadata=metadata).metadata == metadata
