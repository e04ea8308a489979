# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.workload import names
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.workload.settings import settings_of

P = "ocp4_workload_litellm_virtual_keys_"
ROLE = Path(__file__).resolve().parents[5] / "roles" / "ocp4_workload_litellm_virtual_keys"
DEFAULTS = {
    f"{P}subscription_package": "small",
    f"{P}packages": {"small": {"models": ["a"], "duration": "7d"}},
    f"{P}user_email_domain": "x.org",
    f"{P}user_id_format": " ann@example.com\n",
    f"{P}docling_model": "Docling",
    f"{P}docling_path": "/docling/v1/convert/source",
    f"{P}metadata": {"created_by": "babylon"},
    f"{P}extend_for": "168h",
    "guid": "abc12",
    "litellm_url": "https://litellm.example.com/v1/",
    "litellm_master_key": "sk-master",
}
IN_TENANT_LOOP = {"ocp4_workload_tenant_keycloak_username": "anna", "tenant_workloads": ["a.b.c", f"rhpds.litellm_virtual_keys.{names.ROLE}"]}
ONE_KEY = [{"user_id": "ann@example.com"}]


def check(environment: dict[str, str] | None = None, **variables: Any) -> tuple[dict[str, Any], list[str]]:
    """Return settings and warnings, with the defaults of a role below `variables` and the templates of its defaults."""
    given = {**DEFAULTS, **variables}
    for name, sources in names.SOURCES.items():
        given.setdefault(f"{P}{name}", next((given[source] for source in sources if source in given), None))
    alias = f"virtkey-{given['guid']}{'-' if given[f'{P}tenant'] else ''}{given[f'{P}tenant'] or ''}"
    given.setdefault(f"{P}alias_format", alias)
    return settings_of(given.get, given.keys(), environment or {})


def settings(**variables: Any) -> dict[str, Any]:
    return check(**variables)[0]


def refusal(**variables: Any) -> str:
    with pytest.raises(ValueError, match=r"\.$") as caught:
        check(**variables)
    assert str(caught.value).endswith(".") and len(str(caught.value)) < 400
    return str(caught.value)


# ------------------------------------------------------------------------------------------------------------- names
def test_the_names_are_those_of_the_argument_specs() -> None:
    described = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]["workload"]["options"]
    assert {f"{P}{name}" for name in names.NAMES} | {"guid", "litellm_url", "litellm_master_key"} == described.keys()
    assert not names.GONE.keys() & names.NAMES and names.SOURCES.keys() <= names.NAMES


def test_every_action_has_a_file_of_tasks() -> None:
    assert [file for file in names.ACTIONS.values() if not (ROLE / "tasks" / file).is_file()] == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("max_bugdet", f"{P}max_bugdet is set, but there is no such variable; correct it to {P}max_budget, or take it out."),
        ("model", f"correct it to {P}models"),
        ("duraton", f"correct it to {P}duration"),
        ("display_key", f"{P}display_key is set, but has no effect since release 2.0.0; keys are never printed"),
        ("write_bastion_profile", "use the role rhpds.litellm_virtual_keys.ocp4_workload_litellm_bastion_profile"),
        ("bastion_group", "on the hosts that shall have the profile"),
    ],
)
def test_a_variable_without_effect_stops_provisioning_and_is_a_warning_elsewhere(name: str, words: str) -> None:
    variables: dict[str, Any] = {f"{P}{name}": False}
    assert words in refusal(**variables)
    for action in ("destroy", "remove", "extend", "rotate", "stop", "start", "adopt"):
        _settings, warnings = check(ACTION=action, **variables)
        assert any(words in warning for warning in warnings), action


def test_a_variable_that_is_like_no_other_is_passed_over_with_a_warning() -> None:
    variables: dict[str, Any] = {f"{P}catch_all": False, f"{P}base_url": "x"}
    assert check(**variables)[1] == [
        f"{P}base_url is set, but this role has no such variable, only {P}database_url; it is passed over.",
        f"{P}catch_all is set, but this role has no such variable; it is passed over.",
    ]


# ----------------------------------------------------------------------------------------------------------- actions
def test_without_an_action_the_lab_is_provisioned() -> None:
    assert settings()["action"] == settings(agnosticd_action="")["action"] == "provision"
    assert settings(ACTION="provision", agnosticd_action="destroy")["tasks"] == "remove_workload.yml"


@pytest.mark.parametrize("action", ["destory", "", True, 1, ["provision"]])
def test_an_unknown_action_is_refused(action: Any) -> None:
    assert "ACTION" in refusal(ACTION=action)


@pytest.mark.parametrize("action", ["destroy", "stop", "start", "extend", "rotate", "adopt"])
@pytest.mark.parametrize(
    "variables",
    [
        {"num_users": "many"},
        {"num_users": 10**9},
        {f"{P}user_count": "x", "num_users": 2},
        {f"{P}subscription_package": "gold"},
        {f"{P}packages": None},
        {f"{P}packages": "text"},
        {f"{P}models": {}},
        {f"{P}duration": "soon"},
        {f"{P}max_budget": "much"},
        {f"{P}metadata": "text"},
        {f"{P}multi_user": "perhaps"},
        {f"{P}include_docling": "perhaps"},
        {f"{P}on_unrecoverable": "x"},
        {f"{P}user_base": "my user"},
        {f"{P}user_info_messages": {"a": 1}},
    ],
    ids=str,
)
def test_what_only_provisioning_needs_stops_nothing_else(action: str, variables: dict[str, Any]) -> None:
    assert refusal(**variables)
    assert settings(ACTION=action, **variables)["guid"] == "abc12"


# --------------------------------------------------------------------------------------------------------------- lab
@pytest.mark.parametrize("guid", ["12e45", "0123", "1_000", "yes", "null", 123, "a.b"])
def test_the_alias_is_literally_made_of_the_guid(guid: Any) -> None:
    found = settings(guid=guid)
    assert (found["guid"], found["alias"], found["lab_alias"]) == (str(guid), f"virtkey-{guid}", "")


@pytest.mark.parametrize("guid", [None, "", 1.2e46, True, ["a"], {"a": 1}, "a b", "a'b", "a/b", "a\nb", "-a", "g" * 129])
def test_a_guid_that_is_no_name_is_refused(guid: Any) -> None:
    assert refusal(guid=guid).startswith("guid ")


def test_another_alias_is_named_to_modules() -> None:
    assert settings(**{f"{P}alias_format": "virtkey-abc12-blue"})["lab_alias"] == "virtkey-abc12-blue"
    assert settings(ocp4_workload_tenant_keycloak_username="anna")["lab_alias"] == "virtkey-abc12-anna"
    assert refusal(**{f"{P}alias_format": "a b"}).startswith(f"{P}alias_format is 'a b'")
    assert refusal(**{f"{P}alias_format": ""}).startswith(f"{P}alias_format is empty")


@pytest.mark.parametrize("user_base", ["x'OR'a'<'b", "my user", "a/b", "ü"])
def test_the_beginning_of_user_names_is_checked_before_keys_are_made(user_base: str) -> None:
    assert refusal(ocp4_workload_user_base=user_base).startswith("ocp4_workload_user_base is ")
    assert refusal(**{f"{P}user_base": user_base}).startswith(f"{P}user_base is ")
    found, warnings = check(ACTION="destroy", **{f"{P}user_base": user_base})
    assert found["user_base"] == "user" and warnings[0].startswith(f"{P}user_base is ") and warnings[0].endswith("; keys are found by the GUID alone.")


# ------------------------------------------------------------------------------------------------------------- users
def users(*numbers: int, base: str = "user") -> list[dict[str, str]]:
    return [{"user": f"{base}{number}", "user_id": f"{base}{number}@x.org"} for number in numbers]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, ONE_KEY),
        ({"num_users": 1}, ONE_KEY),
        ({"num_users": 0}, ONE_KEY),
        ({"num_users": "0"}, ONE_KEY),
        ({"num_users": ""}, ONE_KEY),
        ({"num_users": None}, ONE_KEY),
        ({"num_users": 2}, users(1, 2)),
        ({"num_users": "02"}, users(1, 2)),
        ({"num_users": 2.0}, users(1, 2)),
        ({"ocp4_workload_multi_user": True, "ocp4_workload_user_count": 2, "ocp4_workload_user_base": "lab"}, users(1, 2, base="lab")),
        ({"ocp4_workload_multi_user": "true", "num_users": "1"}, users(1)),
        ({"ocp4_workload_user_count": 5}, ONE_KEY),
        ({f"{P}multi_user": True, "num_users": 1}, users(1)),
        ({f"{P}multi_user": "", "num_users": 2}, users(1, 2)),
        ({f"{P}multi_user": False, "num_users": 5, "ocp4_workload_multi_user": True}, ONE_KEY),
        ({f"{P}multi_user": False, "num_users": "many"}, ONE_KEY),
        ({"ocp4_workload_tenant_keycloak_username": "anna", "num_users": 5, "ocp4_workload_multi_user": True}, ONE_KEY),
        ({"ocp4_workload_tenant_keycloak_username": "anna", "num_users": ""}, ONE_KEY),
        ({"ocp4_workload_tenant_keycloak_username": "anna", "num_users": 2, f"{P}multi_user": True}, users(1, 2)),
        ({**IN_TENANT_LOOP, "num_users": 2, f"{P}multi_user": True}, ONE_KEY),
        ({**IN_TENANT_LOOP, "ocp4_workload_tenant_keycloak_username": "", "num_users": 2}, users(1, 2)),
        ({**IN_TENANT_LOOP, "tenant_workloads": ["a.b.c"], "num_users": 2, f"{P}multi_user": True}, users(1, 2)),
        ({**IN_TENANT_LOOP, "tenant_workloads": None, "num_users": 2}, ONE_KEY),
        ({f"{P}user_id_format": 12345}, [{"user_id": "12345"}]),
    ],
    ids=str,
)
def test_the_settings_that_decide_between_one_key_and_many(variables: dict[str, Any], expected: list[dict[str, str]]) -> None:
    assert settings(**variables)["wanted"] == expected


def test_many_users_in_the_tenant_loop_are_a_warning_and_nonsense_is_refused_there_too() -> None:
    (warning,) = check(**IN_TENANT_LOOP, **{f"{P}multi_user": True})[1]
    assert warning.startswith(f"{P}multi_user is true, but tenant_workloads names this role")
    assert check(**IN_TENANT_LOOP, **{f"{P}multi_user": False})[1] == []
    assert refusal(**IN_TENANT_LOOP, **{f"{P}multi_user": "perhaps"}).startswith(f"{P}multi_user is 'perhaps'")


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"num_users": "many"}, ["num_users is 'many'; give a whole number"]),
        ({"num_users": -3}, ["num_users is '-3'; give a whole number"]),
        ({"num_users": 2.5}, ["num_users is '2.5'; give a whole number"]),
        ({"num_users": [2]}, ["num_users is a list; give a whole number"]),
        ({"num_users": 1001}, ["num_users is '1001'", "from 1 to 1000", f"raise {P}user_count_max"]),
        ({"num_users": 5, f"{P}user_count": "x"}, [f"{P}user_count is 'x'"]),
        ({"ocp4_workload_multi_user": True, "num_users": 0}, ["num_users is '0', and each of many users is to get a key", f"set {P}multi_user to false"]),
        ({"ocp4_workload_multi_user": "perhaps"}, ["ocp4_workload_multi_user is 'perhaps'; give true or false."]),
    ],
    ids=str,
)
def test_a_number_of_users_that_counts_is_checked(variables: dict[str, Any], words: list[str]) -> None:
    for word in words:
        assert word in refusal(**variables)


# ----------------------------------------------------------------------------------------------------------- gateway
def test_people_may_reach_the_gateway_at_another_address() -> None:
    found = settings(litellm_url="http://litellm:4000", **{f"{P}gateway_url": "https://llm.example.com/v1/"})
    assert (found["url"], found["endpoint"]) == ("http://litellm:4000", "https://llm.example.com")
    assert refusal(**{f"{P}gateway_url": "llm.example.com"}).startswith(f"{P}gateway_url is 'llm.example.com'")
    assert refusal(litellm_url="litellm", **{f"{P}gateway_url": "https://llm.example.com"}).startswith("litellm_url is")


def test_the_environment_is_asked_last() -> None:
    environment = {"LITELLM_BASE_URL": "https://env.example.com", "LITELLM_API_KEY": "sk-env"}
    assert check(environment, litellm_url=None, litellm_master_key="")[0]["endpoint"] == "https://env.example.com"
    assert check(environment)[0]["endpoint"] == "https://litellm.example.com"


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"litellm_url": ""}, "litellm_url is not set"),
        ({"litellm_url": None}, "litellm_url is not set"),
        ({"litellm_url": "litellm.example.com"}, "litellm_url is 'litellm.example.com', which is not the address of a gateway"),
        ({"litellm_url": "https://hush@x.org"}, "litellm_url holds a user name"),
        ({"litellm_url": ["https://x.org"]}, "litellm_url is a list; give a text."),
        ({"litellm_master_key": None}, "litellm_master_key is not set"),
        ({"litellm_master_key": ["sk-hush"]}, "litellm_master_key is a list; give a text."),
        ({"litellm_derivation_secret": "hush"}, "litellm_derivation_secret: the secret has 4 characters; give at least 16"),
        ({f"{P}secret": "hush"}, f"{P}secret: the secret has 4 characters"),
        ({f"{P}secret": {"a": "hush"}}, f"{P}secret is a mapping; give a text."),
        ({"litellm_timeout": "soon"}, "litellm_timeout is 'soon'; give a number of seconds from 0.1 to 3600."),
        ({f"{P}api_timeout": 0}, f"{P}api_timeout is '0'"),
        ({"litellm_retries": "x"}, "litellm_retries is 'x'"),
        ({f"{P}retry_delay": -1}, f"{P}retry_delay is '-1'"),
        ({"litellm_validate_certs": "perhaps"}, "litellm_validate_certs is 'perhaps'; give true or false."),
        ({"litellm_ca_path": "/no/such/file"}, "litellm_ca_path is /no/such/file, which cannot be read"),
    ],
    ids=str,
)
@pytest.mark.parametrize("action", ["provision", "destroy"])
def test_a_gateway_that_cannot_be_reached_so_is_refused_by_the_variable_that_was_set(variables: dict[str, Any], words: str, action: str) -> None:
    found = refusal(ACTION=action, **variables)
    assert words in found and "hush" not in found


def test_the_connection_has_numbers_and_truth_values(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    given = {
        "litellm_timeout": "5",
        "litellm_validate_certs": "no",
        "litellm_retries": "0",
        "litellm_key_header_name": "X-Key",
        f"{P}retry_delay": 1,
        f"{P}ca_path": str(tmp_path / "ca.pem"),
    }
    assert settings()["connection"] == {"timeout": 30.0, "validate_certs": True, "ca_path": "", "key_header_name": "", "retries": 3, "retry_delay": 5.0}
    assert settings(**given)["connection"] == {
        "timeout": 5.0,
        "validate_certs": False,
        "ca_path": str(tmp_path / "ca.pem"),
        "key_header_name": "X-Key",
        "retries": 0,
        "retry_delay": 1.0,
    }


def test_the_proof_is_read_where_keys_are_deleted() -> None:
    for action in ("provision", "rotate", "destroy"):
        assert settings(ACTION=action)["proof"] == {"proof": "quick", "proof_cache_time": 60.0, "proof_workers": 1}
    assert settings(ACTION="extend", litellm_proof="nonsense")["proof"] == {}
    assert isinstance(settings(ACTION="destroy", **{f"{P}proof": None})["proof"]["proof"], str), "Ansible warns of any other type"
    given = {"litellm_proof": "certain", "litellm_proof_cache_time": "0", f"{P}proof_workers": "4", "litellm_proof_timeout": "90"}
    assert settings(ACTION="destroy", **given)["proof"] == {"proof": "certain", "proof_cache_time": 0.0, "proof_workers": 4, "proof_timeout": 90.0}


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"litellm_proof": "surely"}, "litellm_proof is 'surely'"),
        ({f"{P}proof_cache_time": "a minute"}, f"{P}proof_cache_time is 'a minute'; give a number of seconds from 0 to 86400."),
        ({"litellm_proof_workers": 0}, "litellm_proof_workers is '0'; give a whole number from 1 to 1000"),
        ({"litellm_proof": "certain", "litellm_proof_timeout": 60}, "litellm_proof_timeout is 60; give a number of seconds above 65"),
    ],
    ids=str,
)
def test_a_proof_that_cannot_be_is_refused(variables: dict[str, Any], words: str) -> None:
    assert words in refusal(ACTION="destroy", **variables)


# ------------------------------------------------------------------------------------------------------------ others
def test_docling_has_the_name_and_path_that_are_configured() -> None:
    docling = {"model": "Docling", "endpoint": "https://litellm.example.com/docling/v1/convert/source"}
    assert settings(**{f"{P}include_docling": "yes"})["terms"]["docling"] == docling
    assert settings(**{f"{P}include_docling": True, f"{P}docling_path": "v1/x"})["terms"]["docling"]["endpoint"] == "https://litellm.example.com/v1/x"
    assert refusal(**{f"{P}include_docling": True, f"{P}docling_model": ""}).startswith(f"{P}docling_model is empty")


def test_the_guid_in_the_metadata_is_a_text() -> None:
    assert settings(guid=12345)["metadata"] == {"guid": "12345", "created_by": "babylon"}
    assert settings(**{f"{P}metadata": None})["metadata"] == {"guid": "abc12"}
    assert settings(**{f"{P}metadata": '{"a": 1}'})["metadata"] == {"guid": "abc12", "a": 1}


@pytest.mark.parametrize("place", ["file/below", "file"])
def test_an_output_dir_that_cannot_be_written_is_refused_before_keys_are_made(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    for action in ("provision", "rotate", "adopt"):
        assert f"output_dir is {tmp_path / place}, but {tmp_path / 'file'} is not a directory" in refusal(ACTION=action, output_dir=str(tmp_path / place))
    assert settings(ACTION="destroy", output_dir=str(tmp_path / place))
    quiet: dict[str, Any] = {f"{P}enable_user_info_messages": False, f"{P}enable_user_info_data": False}
    assert settings(output_dir=str(tmp_path / place), **quiet)
    assert settings(output_dir=str(tmp_path / "new" / "folder"))


@pytest.mark.parametrize("key_id", ["", None, "sk-hush", "0" * 63, 5])
def test_deleting_by_id_needs_an_id_and_no_guid(key_id: Any) -> None:
    by_id: dict[str, Any] = {"ACTION": "destroy", f"{P}delete_method": "by_key_id", "guid": None, f"{P}alias_format": "virtkey-"}
    assert settings(**by_id, **{f"{P}key_id": "0" * 64})["by_id"] is True
    assert settings(**by_id, **{f"{P}key_id": f" {'AB' * 32} "})["key_id"] == "ab" * 32
    assert refusal(**by_id, **{f"{P}key_id": key_id}).startswith(f"{P}key_id is ")
    assert refusal(ACTION="destroy", **{f"{P}delete_method": "x"}) == f"{P}delete_method is 'x'; it must be one of by_alias, by_key_id."


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, ("168h", "")),
        ({f"{P}extend_for": ""}, ("168h", "")),
        ({f"{P}extend_for": "3d"}, ("3d", "")),
        ({"agnosticd_user_info": {"runtime": 5}, f"{P}extend_for": "3d"}, ("5h", "")),
        ({f"{P}extend_until": "2026-12-31T18:00:00Z"}, ("168h", "2026-12-31T18:00:00Z")),
    ],
    ids=str,
)
def test_how_long_a_lab_is_extended(variables: dict[str, Any], expected: tuple[str, str]) -> None:
    found = settings(ACTION="extend", **variables)
    assert (found["extend_for"], found["extend_until"]) == expected


def test_settings_of_an_extension_and_a_rotation_are_checked() -> None:
    assert f"{P}extend_for is 'x'" in refusal(ACTION="extend", **{f"{P}extend_for": "x"})
    assert f"{P}extend_until is 'x'" in refusal(ACTION="extend", **{f"{P}extend_until": "x"})
    assert f"{P}rotation_grace is 'x'" in refusal(ACTION="rotate", **{f"{P}rotation_grace": "x"})
    assert settings(ACTION="rotate")["rotation_grace"] == "0s"


def test_a_variable_that_cannot_be_read_is_an_error_only_if_it_counts() -> None:
    def read(name: str) -> Any:
        if name == f"{P}models":
            raise ValueError(f"{name} cannot be read: 'x' is undefined; correct it.")
        return {**DEFAULTS, f"{P}alias_format": "virtkey-abc12"}.get(name)

    reader: Callable[[str], Any] = read
    with pytest.raises(ValueError, match="models cannot be read: 'x' is undefined; correct it"):
        settings_of(reader, [], {})
    destroy: Callable[[str], Any] = lambda name: "destroy" if name == "ACTION" else read(name)  # noqa: E731
    assert settings_of(destroy, [], {})[0]["action"] == "destroy"


def test_the_database_is_read_only_where_it_may_be_used() -> None:
    odd = {f"{P}database_url": None, f"{P}namespace": 5, f"{P}postgres_pod": "db-0", f"{P}postgres_db": " litellm "}
    assert settings(ACTION="destroy", **{**odd, f"{P}namespace": []})["database"] == {}
    force = {"ACTION": "destroy", f"{P}force_db_delete": True}
    found = {"problem": "", "by_url": False, "namespace": "5", "postgres_pod": "db-0", "postgres_db": "litellm"}
    assert settings(**force, **odd)["database"] == found
    by_url = settings(**force, **{**odd, f"{P}postgres_db": None, f"{P}database_url": "postgresql://u:hush@h/d"})
    assert by_url["database"] == {**found, "by_url": True, "postgres_db": ""} and "hush" not in str(by_url)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({f"{P}namespace": []}, f"{P}namespace is a list; give a text."),
        ({f"{P}database_url": {}}, f"{P}database_url is a mapping; give a text."),
        ({f"{P}postgres_db": None}, f"{P}postgres_db is empty; give it for force_db_delete, or give {P}database_url."),
    ],
)
def test_a_database_that_cannot_be_reached_does_not_stop_the_gateways_own_deletion(wrong: dict[str, Any], problem: str) -> None:
    given = {f"{P}namespace": "llm", f"{P}postgres_pod": "db-0", f"{P}postgres_db": "litellm", **wrong}
    assert settings(ACTION="destroy", **{f"{P}force_db_delete": True}, **given)["database"] == {"problem": problem}
