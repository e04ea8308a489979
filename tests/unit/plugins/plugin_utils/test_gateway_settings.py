# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The settings with which the role litellm_gateway configures LiteLLM."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.rhpds.litellm_virtual_keys.plugins.filter.gateway_settings import gateway_settings as gateway_settings_filter
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.gateway_settings import gateway_settings

NO_REDIS = {"host": "", "port": 6379, "password": "", "tls": False}
KUBERNETES = {
    "name": "llm",
    "namespace": "litellm",
    "route_host": "",
    "ingress_host": "",
    "ingress_tls_secret": "",
    "database_url": "postgresql://u:p@h/db",
    "database_connections": 10,
    "trusts_bundle": False,
}


def settings(**given: Any) -> dict[str, Any]:
    return gateway_settings(
        {
            "models": [],
            "general_settings": {},
            "litellm_settings": {},
            "environment": {},
            "redis": NO_REDIS,
            "variables": {},
            **given,
            "kubernetes": {**KUBERNETES, **given.get("kubernetes", {})},
        }
    )


# --------------------------------------------------------------------------------------------------------- configuration
def test_without_settings_of_the_user_only_the_download_of_tokenizers_is_switched_off() -> None:
    found = settings()
    assert (found["general_settings"], found["litellm_settings"], found["environment"]) == ({}, {"disable_hf_tokenizer_download": True}, {})


def test_redis_is_named_and_its_password_is_not_written_down() -> None:
    redis = {"host": "redis.example.com", "port": 6380, "password": "hush", "tls": True}
    found = settings(redis=redis)
    assert found["general_settings"] == {
        "coordination_redis": {"host": "redis.example.com", "port": 6380, "ssl": True, "password": "os.environ/REDIS_PASSWORD"}
    }
    assert found["environment"] == {"REDIS_PASSWORD": "hush"}
    assert "password" not in settings(redis={**redis, "password": ""})["general_settings"]["coordination_redis"]


def test_numbers_and_switches_that_are_text_count_as_what_they_say() -> None:
    redis = {"host": "redis.example.com", "port": "6380", "password": "", "tls": "False"}
    found = settings(redis=redis, kubernetes={"trusts_bundle": "False"})
    assert found["general_settings"]["coordination_redis"] == {"host": "redis.example.com", "port": 6380, "ssl": False}
    assert [each["name"] for each in found["kubernetes"]["migrate_env"]] == ["LITELLM_MIGRATION_DIR"]


def test_what_the_user_sets_wins() -> None:
    found = settings(
        redis={**NO_REDIS, "host": "redis.example.com", "password": "hush"},
        general_settings={"coordination_redis": {"host": "other"}},
        litellm_settings={"disable_hf_tokenizer_download": False},
        environment={"REDIS_PASSWORD": "other"},
    )
    assert found["general_settings"] == {"coordination_redis": {"host": "other"}}
    assert found["litellm_settings"] == {"disable_hf_tokenizer_download": False}
    assert found["environment"] == {"REDIS_PASSWORD": "other"}


def test_names_that_no_environment_variable_can_have_are_found() -> None:
    assert settings(environment={"KEY_AT_OPENAI": "x", "_a1": "x", "1A": "x", "A-B": "x", "": "x", 1: "x"})["bad_environment_names"] == ["1A", "A-B", "", 1]


# ------------------------------------------------------------------------------------------------------------ overridden
@pytest.mark.parametrize("name", ["DATABASE_URL", "DIRECT_URL", "DATABASE_HOST", "IAM_TOKEN_DB_AUTH", "LITELLM_MASTER_KEY", "LITELLM_SALT_KEY"])
def test_no_variable_takes_litellm_away_from_the_roles_database_or_keys(name: str) -> None:
    (found,) = settings(environment={name: "x", "KEY_AT_OPENAI": "x"})["overridden"]
    assert found.startswith(f"{name} in litellm_gateway_environment (use litellm_gateway_")


@pytest.mark.parametrize("name", ["database_url", "master_key"])
def test_no_setting_takes_litellm_away_either(name: str) -> None:
    (found,) = settings(general_settings={name: "os.environ/X", "user_api_key_cache_ttl": 5})["overridden"]
    assert found.startswith(f"{name} in litellm_gateway_general_settings (use litellm_gateway_")


# ------------------------------------------------------------------------------------------------------- literal secrets
@pytest.mark.parametrize(
    "name",
    [
        "api_key",
        "aws_secret_access_key",
        "aws_session_token",
        "azure_ad_token",
        "password",
        "private_key",
        "master_key",
        "vertex_credentials",
        "x-api-key",
        "Authorization",
    ],
)
@pytest.mark.parametrize("value", ["hush", 123456, 1.5, {"type": "service_account"}, ["hush"], "true"])
def test_a_secret_that_stands_in_the_settings_is_found(name: str, value: object) -> None:
    assert settings(models=[{"model_name": "m", "litellm_params": {name: value}}])["literal_secrets"] == [name]
    assert settings(general_settings={name: value})["literal_secrets"] == [name]
    assert settings(litellm_settings={"cache_params": [{"nested": {name: value}}]})["literal_secrets"] == [name]


@pytest.mark.parametrize(
    "text",
    ["postgresql://me:hush@db/litellm", "redis://:hush@cache", "https://hooks.slack.com/services/T0/B0/hush", "Bearer sk-hush", "sk-hush", "Basic aHVzaA=="],
)
def test_a_text_that_is_a_secret_is_found_whatever_its_name(text: str) -> None:
    assert settings(general_settings={"alert_to": text})["literal_secrets"] == ["alert_to"]


@pytest.mark.parametrize("text", ['{"private_key": "hush"}', ' [{"deeper": {"private_key": "hush"}}]'])
def test_a_secret_in_a_text_of_json_is_found(text: str) -> None:
    assert settings(models=[{"litellm_params": {"vertex_account": text}}])["literal_secrets"] == ["private_key"]


def test_each_name_is_reported_once_in_the_order_of_the_settings() -> None:
    params = {"litellm_params": {"api_key": "hush", "credentials": {"password": "hush"}}}
    assert settings(models=[params, params], general_settings={"master_key": "sk-hush"})["literal_secrets"] == [
        "api_key",
        "credentials",
        "password",
        "master_key",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("api_key", "os.environ/KEY_AT_OPENAI"),
        ("enforce_password", True),
        ("store_credentials", False),
        ("primary_secret_name", "litellm/keys"),
        ("max_tokens", 100),
        ("user_api_key_cache_ttl", 5),
        ("default_api_key_tpm_limit", 100),
        ("default_team_api_key_alias", "x"),
        ("vertex_credentials", "/etc/vertex.json"),
        ("api_key", None),
        ("api_key", ""),
        ("litellm_key_header_name", "X-Litellm-Key"),
        ("key_management_system", "hashicorp_vault"),
        ("key_management_settings", {"store_virtual_keys": True}),
        ("access_groups", ["all"]),
        ("api_base", "https://example.com/v1"),
        ("note", 'she said "password": 1'),
        ("note", '{not JSON: "password": 1}'),
        ("account", '{"private_key": "os.environ/KEY_AT_GOOGLE", "use_password": true}'),
        ("api_base", "https://secret.example.com"),
    ],
)
def test_the_name_of_a_variable_a_switch_and_the_name_of_a_secret_are_no_secrets(name: str, value: object) -> None:
    assert settings(models=[{"litellm_params": {name: value}}])["literal_secrets"] == []


# ------------------------------------------------------------------------------------------------------------ kubernetes
@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, "http://llm.litellm.svc:4000"),
        ({"ingress_host": "llm.example.com"}, "http://llm.example.com"),
        ({"ingress_host": "llm.example.com", "ingress_tls_secret": "tls"}, "https://llm.example.com"),
        ({"ingress_host": "llm.example.com", "route_host": "llm.apps.example.com"}, "https://llm.apps.example.com"),
    ],
)
def test_the_url_is_that_of_the_outermost_way_in(given: dict[str, str], url: str) -> None:
    assert settings(kubernetes=given)["kubernetes"]["url"] == url


@pytest.mark.parametrize(("url", "separator"), [("postgresql://u:p@h/db", "?"), ("postgresql://u:p@h/db?sslmode=require", "&")])
def test_the_databases_url_limits_the_connections(url: str, separator: str) -> None:
    found = settings(kubernetes={"database_url": url, "database_connections": 7})["kubernetes"]
    assert found["database_url"] == f"{url}{separator}connection_limit=7"


def test_pods_get_the_roles_variables_but_not_those_that_the_user_sets() -> None:
    found = settings(variables={"STORE_MODEL_IN_DB": "True", "A_SWITCH": "1"}, environment={"A_SWITCH": "0"})["kubernetes"]
    migrate = [{"name": "LITELLM_MIGRATION_DIR", "value": "/tmp/migrations"}, {"name": "STORE_MODEL_IN_DB", "value": "True"}]
    assert found["migrate_env"] == migrate
    assert found["serve_env"] == [migrate[0], {"name": "DISABLE_SCHEMA_UPDATE", "value": "true"}, migrate[1]]


def test_pods_that_trust_further_authorities_are_given_the_bundle() -> None:
    found = settings(kubernetes={"trusts_bundle": True}, environment={"AWS_CA_BUNDLE": "/mine.pem"})["kubernetes"]
    bundles = {each["name"]: each["value"] for each in found["serve_env"] if each["name"].endswith(("_FILE", "_BUNDLE"))}
    assert bundles == dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), "/trust/ca-bundle.pem")


def test_an_input_that_lacks_something_is_refused_by_name() -> None:
    with pytest.raises(AnsibleFilterError, match="gateway_settings: the input has no 'redis'"):
        gateway_settings_filter({"models": []})
