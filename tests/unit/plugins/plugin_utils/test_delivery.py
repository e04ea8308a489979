# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The plan of deliveries, and the results that are read from the answers of tasks. The role itself: tests/integration."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.rhpds.litellm_virtual_keys.plugins.filter.delivery_plan import FilterModule as PlanFilter
from ansible_collections.rhpds.litellm_virtual_keys.plugins.filter.delivery_results import FilterModule as ResultsFilter
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.delivery import METHODS, label, slug
from hypothesis import given
from hypothesis import strategies as st

URL = "https://llm.example.com"
SETTINGS: dict[str, Any] = {"url": URL, "namespace": "lab", "secret_prefix": "llm-key-", "env_file": "~/litellm.env"}
plan_filter: Any = PlanFilter().filters()["delivery_plan"]
results_filter: Any = ResultsFilter().filters()["delivery_results"]


def key(user: str = "user1", **more: Any) -> dict[str, Any]:
    alias = more.pop("alias", f"virtkey-abc12-{user}")
    return {"alias": alias, "user": user, "email": f"{user}@example.org", "value": derive.value("secret", alias), "models": ["m"], "expires": None, **more}


def plan(*keys: Mapping[str, Any], methods: tuple[str, ...] = METHODS, **more: Any) -> dict[str, Any]:
    planned: dict[str, Any] = plan_filter(list(keys), methods=list(methods), **{**SETTINGS, **more})
    return planned


def values_in(contents: Any) -> set[str]:
    """Return every key in `contents`, in plain text or in Base64."""
    text = json.dumps(contents)
    decoded = " ".join(base64.b64decode(found).decode("utf-8", "replace") for found in re.findall(r"[A-Za-z0-9+/]{16,}={0,2}", text) if len(found) % 4 == 0)
    return set(re.findall(r"sk-[A-Za-z0-9_-]{43}", text + " " + decoded))


# -------------------------------------------------------------------------------------------------------------- plan
def test_a_misspelt_state_removes_nothing() -> None:
    with pytest.raises(AnsibleFilterError, match="state is 'presnt', which is not known; choose present or absent"):
        plan(key(), state="presnt")


def test_every_method_has_a_parcel_for_every_key_with_that_key_and_no_other() -> None:
    keys = [key("user1"), key("user2"), key("", alias="virtkey-abc12")]
    planned = plan(*keys)
    assert planned["problems"] == []
    for method in METHODS:
        assert [parcel["alias"] for parcel in planned[method]] == [each["alias"] for each in keys]
        assert [values_in(parcel["contents"]) for parcel in planned[method]] == [{each["value"]} for each in keys]


@given(st.lists(st.tuples(st.from_regex(r"\A[a-z][a-z0-9]{0,8}\Z"), st.booleans(), st.booleans()), max_size=8, unique_by=lambda each: each[0]))
def test_with_any_field_missing_each_key_goes_to_its_owner_or_is_a_problem(people: list[tuple[str, bool, bool]]) -> None:
    keys = [key(user, **({} if has_value else {"value": None}), **({} if has_mail else {"email": ""})) for user, has_value, has_mail in people]
    planned = plan(*keys)
    owners = {each["alias"]: each for each in keys}
    for method in METHODS:
        seen = [parcel["alias"] for parcel in planned[method]] + [each["alias"] for each in planned["problems"] if each["method"] == method]
        assert sorted(seen) == sorted(owners)
        for parcel in planned[method]:
            owner = owners[parcel["alias"]]
            assert values_in(parcel["contents"]) == {owner["value"]}
            assert parcel["user"] == owner["user"]
            if method == "mail":
                assert (parcel["target"], parcel["contents"]["to"]) == (owner["email"], owner["email"])
    assert not values_in(planned["problems"])


def test_only_living_keys_are_handed_out() -> None:
    keys = [key("user1"), key("user2", action="deleted"), key("user3", retired_from="virtkey-abc12-user1")]
    assert {parcel["alias"] for method in METHODS for parcel in plan(*keys)[method]} == {"virtkey-abc12-user1"}


def test_removal_needs_no_values_and_holds_none() -> None:
    planned = plan(key(value=None, action="deleted"), key("user2"), state="absent", url="")
    assert [len(planned[method]) for method in METHODS] == [2, 0, 2, 0]
    assert not values_in(planned)
    assert "data" not in planned["kubernetes_secret"][0]["contents"]


def test_a_secret() -> None:
    (parcel,) = plan(key(key_id="abc", expires="2026-12-31T18:00:00Z"), methods=("kubernetes_secret",), vendors=["openai"])["kubernetes_secret"]
    assert parcel["target"] == "lab/llm-key-virtkey-abc12-user1"
    assert parcel["contents"] == {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "rhpds/litellm-virtual-key",
        "metadata": {
            "name": "llm-key-virtkey-abc12-user1",
            "namespace": "lab",
            "labels": {
                "app.kubernetes.io/managed-by": "rhpds.litellm_virtual_keys",
                "app.kubernetes.io/component": "llm-key",
                "litellm-virtual-keys.rhpds/alias": "virtkey-abc12-user1",
                "litellm-virtual-keys.rhpds/owner": "user1_at_example.org",
            },
            "annotations": {
                "litellm-virtual-keys.rhpds/alias": "virtkey-abc12-user1",
                "litellm-virtual-keys.rhpds/owner": "user1@example.org",
                "litellm-virtual-keys.rhpds/expires": "2026-12-31T18:00:00Z",
                "litellm-virtual-keys.rhpds/key-id": "abc",
            },
        },
        "data": {
            "OPENAI_API_KEY": base64.b64encode(key()["value"].encode()).decode(),
            "OPENAI_BASE_URL": base64.b64encode(b"https://llm.example.com/v1").decode(),
        },
    }


def test_a_mail() -> None:
    (parcel,) = plan(key(request_id="r1", package="lab-dev", note="Hi", language="es"), methods=("mail",))["mail"]
    assert parcel["contents"] == {
        "kind": "approval",
        "to": "user1@example.org",
        "id": f"r1/{derive.token(key()['value'])[:16]}",
        "language": "es",
        "value": key()["value"],
        "url": URL,
        "alias": "virtkey-abc12-user1",
        "user": "user1",
        "models": ["m"],
        "package": "lab-dev",
        "expires": "never",
        "request_id": "r1",
        "note": "Hi",
    }


def test_a_mail_without_the_key_names_the_secret_if_there_is_one() -> None:
    secret = plan(key(), methods=("kubernetes_secret",))["kubernetes_secret"][0]
    (parcel,) = plan(key(), methods=("kubernetes_secret", "mail"), mail_include_value=False)["mail"]
    assert "value" not in parcel["contents"]
    assert f"{parcel['contents']['namespace']}/{parcel['contents']['secret_name']}" == secret["target"]
    assert "secret_name" not in plan(key(), methods=("kubernetes_secret", "mail"))["mail"][0]["contents"]


def test_the_secret_of_a_request_names_it() -> None:
    metadata = plan(key(request_id="r1"), methods=("kubernetes_secret",))["kubernetes_secret"][0]["contents"]["metadata"]
    assert metadata["labels"]["litellm-virtual-keys.rhpds/request"] == metadata["annotations"]["litellm-virtual-keys.rhpds/request"] == "r1"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"to": ""}, "the mail has no to"),
        ({"kind": "greeting"}, "the kind of the mail is 'greeting'"),
        ({"language": "fr"}, "the language of the mail is 'fr'"),
        ({"colour": "red"}, "'colour' is no option of a message"),
    ],
)
def test_an_invalid_message_is_a_problem_of_its_key_only(more: dict[str, Any], reason: str) -> None:
    good = {"kind": "denial", "to": "eve@example.org", "id": "r1", "request_id": "r1", "reason": "No."}
    planned = plan(key(), methods=("env_file",), messages=[{**good, **more}, good])
    (problem,) = planned["problems"]
    assert problem["reason"].startswith(reason)
    assert (problem["method"], problem["request_id"]) == ("mail", "r1")
    assert [parcel["contents"] for parcel in planned["mail"]] == [good]


def test_the_user_id_serves_as_the_address_if_no_other_is_known() -> None:
    without_email = key(user_id="ada@example.org")
    del without_email["email"]
    assert plan(without_email, methods=("mail",))["mail"][0]["target"] == "ada@example.org"


def test_files_are_named_after_users() -> None:
    planned = plan(key("user1"), key("", alias="a"), key("user3", env_file="/srv/x.env"), methods=("env_file",), env_file="out/llamakey_local.env")
    assert [parcel["target"] for parcel in planned["env_file"]] == ["out/llamakey_local-user1.env", "out/llamakey_local.env", "/srv/x.env"]


@pytest.mark.parametrize(
    ("more", "method", "reason"),
    [
        ({"value": ""}, "mail", "its value is not known"),
        ({"value": "sk-a\nb"}, "env_file", "the key is empty or holds"),
        ({"email": ""}, "mail", "it has no e-mail address"),
        ({"language": "fr"}, "mail", "the language of the mail is 'fr'"),
        ({"namespace": "../x"}, "kubernetes_secret", "the namespace is '../x'"),
        ({"secret_name": "A b"}, "kubernetes_secret", "the name of the Secret is 'A b'"),
        ({"user": "../../etc/passwd"}, "env_file", "no name for its file"),
        ({"env_file": "/srv/"}, "env_file", "its file is '/srv/'"),
        ({"env_file": "/srv/a\nb"}, "env_file", "its file is"),
    ],
)
def test_a_fault_of_one_key_is_a_problem_of_that_key_only(more: dict[str, Any], method: str, reason: str) -> None:
    planned = plan(key(**more), key("user9"), methods=(method,))
    (problem,) = planned["problems"]
    assert (problem["status"], problem["method"], problem["temporary"]) == ("failed", method, False)
    assert problem["reason"].startswith(reason)
    assert [parcel["user"] for parcel in planned[method]] == ["user9"]


@pytest.mark.parametrize(
    ("keys", "more", "message"),
    [
        ([key()], {"methods": ("pigeon",)}, "method 'pigeon'"),
        ([key()], {"url": "llm.example.com"}, "not the address of a gateway"),
        ([key()], {"vendors": ["opnai"]}, "vendor is 'opnai'"),
        ([key()], {"vendor_paths": {"openai": "v1"}}, "the path of vendor openai"),
        ([key()], {"mail_include_value": False, "methods": ("env_file", "mail")}, "say in key_delivery_mail_note"),
        ([key()], {"colour": "red"}, "colour is not a setting"),
        ([{"value": "sk-1"}], {}, "has no alias"),
        (["sk-1"], {}, "not a list of keys"),
        ([key("user1", env_file="/x"), key("user2", env_file="/x")], {}, "would share /x; give one of them another env_file"),
        ([key("user1", secret_name="x"), key("user2", secret_name="x")], {}, "would share lab/x; give one of them another secret_name"),
        ([key("", alias="a"), key("", alias="b")], {"methods": ("env_file",)}, "would share ~/litellm.env"),
    ],
)
def test_settings_that_cannot_work_are_refused(keys: list[Any], more: dict[str, Any], message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=re.escape(message)) as caught:
        plan(*keys, **more)
    assert "sk-" not in str(caught.value)


@given(st.text(min_size=1, max_size=300))
def test_a_slug_is_part_of_a_name_and_no_two_texts_share_one(text: str) -> None:
    name = slug(text, 200)
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", name)
    assert len(name) <= 200
    assert (name == text) == bool(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", text) and len(text) <= 200)


@given(st.text(min_size=1, max_size=100))
def test_labels_are_valid(text: str) -> None:
    value = label(text)
    assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", value)
    assert len(value) <= 63


def test_labels_and_slugs_people_can_read() -> None:
    assert label("ada@example.com") == "ada_at_example.com"
    assert slug("virtkey-abc12-user1", 200) == "virtkey-abc12-user1"
    assert slug("A_b", 200) != slug("a-b", 200)
    assert label("x" * 64) != label("x" * 65)


# ----------------------------------------------------------------------------------------------------------- results
FORBIDDEN = (
    'Failed to retrieve requested object: b\'{"kind":"Status","metadata":{},"status":"Failure","message":"secrets \\\\"x\\\\" is forbidden",'
    '"reason":"Forbidden","code":403}\\n\''
)

CONFLICT = 'Failed to apply object: b\'{"message":"Apply failed with 1 conflict: conflict with \\\\"kubectl\\\\" using v1: .type","code":409}\\n\''


def results(method: str, outcome: dict[str, Any], *keys: Mapping[str, Any], done: str = "delivered", **more: Any) -> list[tuple[Any, ...]]:
    parcels = plan(*(keys or (key("user1"), key("user2"))), methods=(method,), **more)[method]
    return [(each["status"], each["changed"], each["temporary"], each["reason"]) for each in results_filter(parcels, method, outcome, done)]


def test_answers_about_secrets() -> None:
    good, bad = {"changed": True, "method": "apply", "result": {}}, {"changed": False, "result": {}, "error": {"msg": FORBIDDEN}}
    assert results("kubernetes_secret", {"result": {"results": [good, bad]}}) == [
        ("delivered", True, False, ""),
        ("failed", False, False, 'secrets "x" is forbidden'),
    ]
    assert results("kubernetes_secret", bad, key()) == [("failed", False, False, 'secrets "x" is forbidden')]
    assert results("kubernetes_secret", good, key(), done="planned") == [("planned", True, False, "")]


@pytest.mark.parametrize("msg", ['Secret "x" is invalid: type: Invalid value: "y": field is immutable', CONFLICT])
def test_a_secret_of_another_type_belongs_to_another_owner(msg: str) -> None:
    (answer,) = results("kubernetes_secret", {"result": {}, "error": {"msg": msg}}, key())
    assert answer[3].startswith("lab/llm-key-virtkey-abc12-user1 is a Secret that this collection did not make")


def test_only_our_own_secrets_are_removed() -> None:
    good, foreign = {"changed": True, "result": {}}, {"result": {}, "error": {"msg": "field is immutable"}}
    claimed = {"result": {"results": [foreign, good]}}
    answers = results("kubernetes_secret", {"claimed": claimed, "removed": {"changed": True, "result": {}}}, done="removed", state="absent")
    assert [answer[:2] for answer in answers] == [("failed", False), ("removed", True)]
    nothing = results(
        "kubernetes_secret", {"claimed": {"result": {"results": [foreign, foreign]}}, "removed": {"skipped": True}}, done="removed", state="absent"
    )
    assert [answer[0] for answer in nothing] == ["failed", "failed"]


def test_a_secret_whose_namespace_is_missing_counts_as_removed() -> None:
    lost = {"result": {}, "error": {"msg": FORBIDDEN.replace("403", "404")}}
    gone = {"claimed": lost, "removed": {"changed": False, "result": {}}}
    assert results("kubernetes_secret", gone, key(), done="removed", state="absent") == [("removed", False, False, "")]
    assert results("kubernetes_secret", lost, key())[0][:3] == ("failed", False, False)


def test_no_key_is_in_a_quoted_answer() -> None:
    value = key()["value"]
    encoded = base64.b64encode(value.encode()).decode()
    (answer,) = results("kubernetes_secret", {"result": {}, "error": {"msg": f"cannot take {value} or {encoded}"}}, key())
    assert answer[3] == "cannot take sk-*** or ***"


def test_answers_about_mails() -> None:
    sent = {"status": "sent", "reason": "", "temporary": False}
    put_off = {"status": "failed", "reason": "451 later", "temporary": True}
    assert results("mail", {"mails": [sent, put_off]}) == [("delivered", True, False, ""), ("failed", False, True, "451 later")]


@pytest.mark.parametrize("method", METHODS)
def test_a_task_that_failed_as_a_whole_failed_for_every_key(method: str) -> None:
    assert results(method, {"failed": True, "msg": "no route to host"}) == [("failed", False, True, "no route to host")] * 2
    assert results(method, {"failed": True})[0][3] == "the task did not say what became of it"


def test_answers_of_loops() -> None:
    outcome = {"failed": True, "results": [{"failed": True, "msg": "disk full"}, {"changed": True}]}
    assert results("agnosticd", outcome) == [("failed", False, True, "disk full"), ("delivered", True, False, "")]


def test_answers_about_files() -> None:
    outcome = {"failed": True, "msg": "x", "files": [{"failed": True, "reason": "disk full"}, {"failed": False, "reason": "", "changed": True}]}
    assert results("env_file", outcome) == [("failed", False, True, "disk full"), ("delivered", True, False, "")]


def test_an_unknown_method_is_an_error() -> None:
    with pytest.raises(AnsibleFilterError, match="method is not one of"):
        results_filter([], "pigeon", {})
