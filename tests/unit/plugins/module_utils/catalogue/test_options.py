# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.catalogue.entry import WantedEntry
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.catalogue.options import (
    CREDENTIAL_SPEC,
    MODEL_SPEC,
    check_secret,
    check_set,
    secrets_in,
    wanted_credential,
    wanted_model,
)


def model(**params: Any) -> WantedEntry:
    return wanted_model({"name": "m", **dict.fromkeys(MODEL_SPEC), **params}, "default")


def credential(**params: Any) -> WantedEntry:
    return wanted_credential({"name": "c", **dict.fromkeys(CREDENTIAL_SPEC), **params}, "default")


def test_options_become_parameters_of_litellm() -> None:
    want = model(
        provider="hosted_vllm",
        upstream="ibm/granite",
        credential="c",
        request_timeout=5.0,
        litellm_params={"weight": 2, "gone": None},
        provider_key="k",
        secret_params={"extra_headers": {"Authorization": "a"}},
        mode="chat",
        model_info={"owner": "ann"},
        unset=["rpm", "access_groups"],
    )
    assert want.params == {
        "model": "hosted_vllm/ibm/granite",
        "litellm_credential_name": "c",
        "timeout": 5.0,
        "weight": 2,
        "gone": None,
        "rpm": None,
    }
    assert want.secrets == {"api_key": "k", "extra_headers": {"Authorization": "a"}}
    assert want.info == {"owner": "ann", "mode": "chat", "access_groups": []}
    assert sorted(secrets_in([want])) == ["a", "k"]
    assert model(upstream="x", litellm_params={"custom_llm_provider": "openai"}).params["model"] == "x"
    assert model().params == {}, "options that are not given stay as they are"


def test_a_credential_is_secret_but_for_its_address() -> None:
    want = credential(provider="vertex_ai", provider_key="k", api_base="https://a.example.com", secret_values={"region": "eu"}, unset=["token"])
    assert want.params == {"api_base": "https://a.example.com"} and want.info == {"custom_llm_provider": "vertex_ai"}
    assert want.secrets == {"api_key": "k", "region": "eu", "token": None}


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"name": " m"}, "without blanks"),
        ({"upstream": "x"}, "give provider"),
        ({"provider": "openai"}, "without upstream"),
        ({"provider": "", "upstream": "x"}, "is empty"),
        ({"api_base": "ftp://a.example.com"}, "no address"),
        ({"api_base": "https://"}, "no address"),
        ({"api_base": "https://a.example.com:99999"}, "no address"),
        ({"input_cost_per_token": float("nan")}, "0 or more"),
        ({"output_cost_per_token": -1e-9}, "0 or more"),
        ({"tpm": -5}, "tpm is -5"),
        ({"stream_timeout": float("inf")}, "stream_timeout is inf"),
        ({"litellm_params": {"timeout": 5}}, "option request_timeout"),
        ({"model_info": {"input_cost_per_token": 5}}, "option input_cost_per_token"),
        ({"secret_params": {"api_key": "pw"}}, "option provider_key"),
        ({"secret_params": {"x": {"y": "pw\r"}}}, "secret_params.x.y of the model m"),
        ({"unset": ["upstream"]}, "cannot be without"),
        ({"mode": "chat\n"}, "mode is"),
    ],
)
def test_nonsense_is_refused(params: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as refused:
        model(**params)
    assert "pw" not in str(refused.value)


@pytest.mark.parametrize("value", ['{"type": "service_account",\n "private_key": "x"}', "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n", "k", 5])
def test_keys_that_are_files_may_have_lines(value: Any) -> None:
    check_secret("vertex_credentials", value)


def test_duplicates() -> None:
    check_set([model(deployment="a"), model(deployment="b"), credential()])
    with pytest.raises(ValueError, match=r"m \(a\) is given twice; give each"):
        check_set([model(deployment="a"), model(deployment="a")])
    with pytest.raises(ValueError, match="credential c is given twice"):
        check_set([credential(), credential()])
