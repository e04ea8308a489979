# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What the role key_portal sets for the portal and its worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.rhpds.litellm_virtual_keys.plugins.filter.portal_settings import portal_settings as portal_settings_filter
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.portal_settings import portal_settings

URL = "https://keys.example.com"
MAIL_NAMES = ("host", "port", "user", "password", "from", "reply_to", "use_tls", "ca_path")
NO_MAIL = {**dict.fromkeys(MAIL_NAMES, ""), "validate_certs": True, "allow_unencrypted": False}
NO_PROVIDER = {
    **dict.fromkeys(("issuer", "client_id", "client_secret", "name", "ca_path"), ""),
    "groups": {},
    "groups_claim": "groups",
    "proxy_groups_header": "X-Forwarded-Groups",
    "scopes": "openid email profile",
    "verified_only": True,
}


def given(**more: Any) -> dict[str, Any]:
    return {
        "host": "127.0.0.1",
        "public_url": "",
        "tls": False,
        "sealed_delivery": False,
        "identity": ["basic", "link"],
        "admins": [],
        "proxy_header": "X-Forwarded-Email",
        "trusted_proxies": ["127.0.0.1"],
        "cors_origins": [],
        "interval": "30s",
        "config_file": "",
        "environment": {},
        "worker_variables": {},
        **more,
        "smtp": {**NO_MAIL, **more.get("smtp", {})},
        "operations": {"metrics_token": "", "log_format": "text", "log_persons": False, **more.get("operations", {})},
        "sign_on": {**NO_PROVIDER, **more.get("sign_on", {})},
    }


def test_without_anything() -> None:
    assert portal_settings(given()) == {
        "environment": {"PORTAL_IDENTITY": "basic,link", "PORTAL_PROXY_HEADER": "X-Forwarded-Email", "PORTAL_TRUSTED_PROXIES": "127.0.0.1"},
        "worker": {},
        "portal_config": {},
    }


def test_mail_address_and_delivery_are_said_once_for_both() -> None:
    mail = {"host": "mail.example.com", "port": "2525", "user": "keys", "password": "pw-secret", "from": "Keys <keys@example.com>", "ca_path": "/etc/ca.pem"}
    found = portal_settings(given(public_url=URL, sealed_delivery=True, smtp={**mail, "validate_certs": "false"}))
    assert found["environment"].items() >= {
        ("PORTAL_URL", URL),
        ("SMTP_HOST", "mail.example.com"),
        ("SMTP_PORT", "2525"),
        ("SMTP_USER", "keys"),
        ("SMTP_PASSWORD", "pw-secret"),
        ("SMTP_FROM", "Keys <keys@example.com>"),
        ("SMTP_VERIFY_SSL", "false"),
        ("SSL_CERT_FILE", "/etc/ca.pem"),
    }
    assert found["worker"] == {
        "key_requests_portal_url": URL,
        "key_requests_delivery_methods": ["sealed"],
        **{f"key_delivery_smtp_{name}": value for name, value in mail.items()},
        "key_delivery_smtp_validate_certs": "false",
    }


def test_a_portal_that_mails_no_links_has_no_password_of_the_mail_server() -> None:
    mail = {"host": "mail.example.com", "user": "keys", "password": "pw-secret"}
    found = portal_settings(given(identity=["proxy"], smtp=mail))
    assert "pw-secret" not in str(found["environment"]) and found["worker"]["key_delivery_smtp_password"] == "pw-secret"


def test_people_and_proxies() -> None:
    more = {"identity": ["proxy"], "admins": ["ann@example.com", "bob@example.com"], "trusted_proxies": ["10.0.0.0/8", "::1"]}
    environment = portal_settings(given(**more, cors_origins=["https://a.example.com", "https://b.example.com"]))["environment"]
    assert environment == {
        "PORTAL_IDENTITY": "proxy",
        "PORTAL_ADMINS": "ann@example.com,bob@example.com",
        "PORTAL_PROXY_HEADER": "X-Forwarded-Email",
        "PORTAL_TRUSTED_PROXIES": "10.0.0.0/8,::1",
        "CORS_ORIGINS": "https://a.example.com;https://b.example.com",
    }


def test_what_the_user_wrote_is_stronger() -> None:
    more = {"environment": {"PORTAL_URL": "https://other.example.com", "PORTAL_TELL_STATE": True, "PORTAL_LINK_MINUTES": 5}}
    found = portal_settings(given(public_url=URL, smtp={"host": "one.example.com"}, worker_variables={"key_delivery_smtp_host": "two.example.com"}, **more))
    assert found["environment"]["PORTAL_URL"] == "https://other.example.com"
    assert (found["environment"]["PORTAL_TELL_STATE"], found["environment"]["PORTAL_LINK_MINUTES"]) == ("true", "5")
    assert found["worker"]["key_delivery_smtp_host"] == "two.example.com"


def test_lists_and_mappings_from_a_command_line() -> None:
    texts = {
        "identity": "basic,proxy",
        "trusted_proxies": "10.0.0.1",
        "environment": "PORTAL_LANGUAGE=de",
        "worker_variables": '{"key_requests_lifetime": "1d"}',
    }
    found = portal_settings(given(**texts))
    assert (found["environment"]["PORTAL_IDENTITY"], found["environment"]["PORTAL_TRUSTED_PROXIES"]) == ("basic,proxy", "10.0.0.1")
    assert (found["environment"]["PORTAL_LANGUAGE"], found["worker"]) == ("de", {"key_requests_lifetime": "1d"})


@pytest.fixture
def config(tmp_path: Path) -> str:
    document = {
        "litellm": {"api_key": "sk-gateway-secret", "enable_litellm_models": False},
        "smtp": {"host": "mail.example.com", "user": "keys", "password": "pw-secret", "verify_ssl": False},
        "mcp": {"api_key": "mcp-secret"},
        "admin": {"password": "admin-secret"},
        "approval_plugins": [{"name": "http", "config": {"token": "rule-secret"}}],
        "models": [{"id": "granite"}],
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(document))
    return str(path)


def test_the_portal_gets_the_catalogue_of_the_config_and_its_mail_server_and_no_other_secret(config: str) -> None:
    found = portal_settings(given(config_file=config))
    assert found["portal_config"] == {"models": [{"id": "granite"}], "enable_litellm_models": False}
    assert found["environment"]["SMTP_HOST"] == "mail.example.com" and found["environment"]["SMTP_PASSWORD"] == "pw-secret"
    assert found["environment"]["SMTP_VERIFY_SSL"].lower() == "false"
    assert found["worker"] == {}, "it reads the file itself"
    for secret in ("sk-gateway-secret", "mcp-secret", "admin-secret", "rule-secret"):
        assert secret not in str(found)
    assert portal_settings(given(config_file=config, smtp={"host": "other.example.com"}))["environment"].get("SMTP_USER") is None


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"public_url": "keys.example.com"}, "key_portal_public_url is 'keys.example.com'; give the address"),
        ({"public_url": f"{URL}/portal"}, "without a path"),
        ({"public_url": "http://keys.example.com", "tls": True}, "but the portal serves HTTPS"),
        ({"host": "0.0.0.0"}, "set key_portal_public_url"),
        ({"identity": []}, "key_portal_identity is empty"),
        ({"admins": ["boss"]}, "key_portal_admins is 'boss'"),
        ({"trusted_proxies": ["proxy.example.com"]}, "key_portal_trusted_proxies has 'proxy.example.com'"),
        ({"trusted_proxies": ["10.0.0.1/8"]}, "has host bits set"),
        ({"trusted_proxies": ["*"], "identity": ["proxy"]}, "trusts everybody"),
        ({"trusted_proxies": ["*", "10.0.0.1"]}, "beside addresses"),
        ({"cors_origins": ["https://a.example.com/app"]}, "which is not an origin"),
        ({"interval": "sometimes"}, "interval is 'sometimes'"),
        ({"config_file": "/nowhere/config.yaml"}, "/nowhere/config.yaml cannot be read: No such file"),
        ({"sealed_delivery": True}, "set key_portal_public_url"),
        ({"sealed_delivery": True, "public_url": "http://keys.example.com"}, "https"),
        ({"environment": {"A B": "x"}}, "'A B', which is not the name"),
        ({"environment": {"NAME": ["pw-secret"]}}, "a structure for NAME"),
        ({"smtp": {"host": "mail.example.com", "port": "smtp"}}, "port is 'smtp'; give a whole number"),
        ({"smtp": {"host": "mail.example.com", "use_tls": "none"}}, "without encryption"),
        ({"smtp": {"host": "mail.example.com", "password": "pw-secret"}}, "only one of user and password"),
        ({"smtp": {"password": "pw-secret"}}, "key_portal_smtp_host is empty"),
        ({"smtp": {"ca_path": "/etc/ca.pem"}}, "key_portal_smtp_host is empty"),
    ],
)
def test_what_cannot_be_meant_is_named_without_a_secret(more: dict[str, Any], said: str) -> None:
    with pytest.raises(AnsibleFilterError) as error:
        portal_settings_filter(given(**more))
    assert said in str(error.value) and "pw-secret" not in str(error.value)


def test_a_host_of_its_own_needs_no_address_without_links() -> None:
    assert "PORTAL_URL" not in portal_settings(given(host="0.0.0.0", identity=["basic"]))["environment"]
    assert portal_settings(given(host="0.0.0.0", environment={"PORTAL_URL": URL}))["environment"]["PORTAL_URL"] == URL


def test_an_input_without_a_variable_is_named() -> None:
    with pytest.raises(AnsibleFilterError, match="the input has no 'identity'"):
        portal_settings_filter({"interval": "30s", "config_file": ""})


PROVIDER = {"issuer": "https://sso.example.com", "client_id": "portal", "client_secret": "hidden"}


def test_single_sign_on() -> None:
    groups = {"reviewer": ["deciders", "cn=bosses,ou=groups"], "auditor": "audit", "operator": None}
    found = portal_settings(given(identity=["oidc"], public_url=URL, sign_on={**PROVIDER, "groups": groups, "verified_only": "false"}))["environment"]
    assert {name: value for name, value in found.items() if "OIDC" in name or "GROUPS" in name} == {
        "PORTAL_REVIEWER_GROUPS": "deciders;cn=bosses,ou=groups",
        "PORTAL_AUDITOR_GROUPS": "audit",
        "PORTAL_GROUPS_CLAIM": "groups",
        "PORTAL_PROXY_GROUPS_HEADER": "X-Forwarded-Groups",
        "PORTAL_OIDC_ISSUER": "https://sso.example.com",
        "PORTAL_OIDC_CLIENT_ID": "portal",
        "PORTAL_OIDC_CLIENT_SECRET": "hidden",
        "PORTAL_OIDC_SCOPES": "openid email profile",
        "PORTAL_OIDC_VERIFIED_ONLY": "false",
    }
    without = portal_settings(given(sign_on=PROVIDER))["environment"]
    assert not any("OIDC" in name for name in without)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"sign_on": {**PROVIDER, "issuer": ""}}, "key_portal_oidc_issuer is ''"),
        ({"sign_on": {**PROVIDER, "issuer": "http://sso.example.com"}}, "key_portal_oidc_issuer is"),
        ({"sign_on": {**PROVIDER, "client_id": ""}}, "key_portal_oidc_client_id is empty"),
        ({"sign_on": {**PROVIDER, "scopes": "email"}}, "let openid be one of them"),
        ({"sign_on": {**PROVIDER, "groups": {"boss": ["x"]}}}, "which is not a role"),
        ({"sign_on": {**PROVIDER, "groups": {"admin": ["a;b"]}}}, "leave out semicolons"),
        ({"sign_on": PROVIDER, "host": "0.0.0.0", "public_url": ""}, "without link and oidc"),
    ],
)
def test_single_sign_on_that_cannot_be_meant(more: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said) as error:
        portal_settings(given(**{"identity": ["oidc"], "public_url": URL, **more}))
    assert "hidden" not in str(error.value)


def test_metrics_and_logs() -> None:
    found = portal_settings(given(operations={"metrics_token": "t" * 32, "log_format": "json", "log_persons": "true"}))["environment"]
    wanted = {"PORTAL_METRICS_TOKEN": "t" * 32, "PORTAL_LOG_FORMAT": "json", "PORTAL_LOG_PERSONS": "true"}
    assert {name: value for name, value in found.items() if name in wanted} == wanted
    with pytest.raises(ValueError, match="key_portal_metrics_token has 31 characters"):
        portal_settings(given(operations={"metrics_token": "t" * 31}))
