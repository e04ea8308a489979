# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The role ocp4_workload_litellm_virtual_keys refuses bad input and bad gateways in one sentence, before it writes anything."""

from __future__ import annotations

import contextlib
import json
import re
import uuid

import pytest
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.agnosticd.workload_lab import (
    GRANITE,
    QUIET,
    ROLE,
    P,
)
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.faulty_proxy import FaultyProxy, Harm

BAD_INPUT = [
    ({"guid": ""}, ["guid is not set"]),
    ({"guid": "a/b"}, ["guid is 'a/b'"]),
    ({"guid": "a..b"}, ["guid is 'a..b'"]),
    ({"guid": "a b"}, ["guid is 'a b'"]),
    ({"guid": "a\nb"}, ["guid is 'a\\nb'"]),
    ({"guid": "a\u0007b"}, ["guid is 'a\\x07b'"]),
    ({"guid": "a'b"}, ['guid is "a\'b"']),
    ({"guid": 'a"b'}, ["guid is 'a\"b'"]),
    ({"guid": "g" * 129}, ["guid has 129 characters"]),
    ({f"{P}subscription_package": "gold"}, ["'gold'", "ai-beginner"]),
    ({f"{P}models": []}, ["models is empty"]),
    ({f"{P}models": [GRANITE, "gpt-99"]}, ["gpt-99", GRANITE]),
    ({f"{P}duration": "soon"}, ["duration is 'soon'"]),
    ({f"{P}duration": "0d"}, ["duration is '0d'"]),
    ({f"{P}duration": "-1d"}, ["duration is '-1d'"]),
    ({f"{P}duration": "1h30m"}, ["duration is '1h30m'"]),
    ({f"{P}duration": "99999d"}, ["duration is '99999d'"]),
    ({"agnosticd_user_info": {"runtime": "x"}}, ["agnosticd_user_info.runtime is 'x'"]),
    ({"num_users": 0, f"{P}multi_user": True}, ["num_users is '0'"]),
    ({"num_users": -3}, ["num_users is '-3'"]),
    ({"num_users": "many"}, ["num_users is 'many'"]),
    ({"num_users": 1001}, ["num_users is '1001'", "user_count_max"]),
    ({"litellm_url": "litellm.example.com"}, ["litellm_url is 'litellm.example.com'"]),
    ({"litellm_url": ""}, ["litellm_url is not set"]),
    ({"litellm_master_key": ""}, ["litellm_master_key is not set"]),
    ({"litellm_master_key": "sk-wrong-wrong-wrong"}, ["does not know the API key"]),
    ({f"{P}secret": "short"}, ["secret has 5 characters", f"{P}secret"]),
    ({"ACTION": "destory"}, ["ACTION is 'destory'", "provision"]),
    ({"ACTION": ""}, ["ACTION is ''"]),
    ({f"{P}max_bugdet": 2}, [f"correct it to {P}max_budget"]),
    ({f"{P}display_key": False}, [f"{P}display_key is set", "no effect"]),
    ({f"{P}write_bastion_profile": True}, [f"{P}write_bastion_profile is set", "ocp4_workload_litellm_bastion_profile"]),
    ({f"{P}bastion_group": "bastions"}, [f"{P}bastion_group is set"]),
]


BAD_GATEWAYS = {
    "an HTML page": (Harm("answer", status=200, body=b"<html>Please sign in</html>"), ["an HTML page instead of JSON", "check that litellm_url"]),
    "an answer that is cut": (Harm("cut"), ["no answer from", "check the address"]),
    "an error of its own": (Harm("answer", status=500, body={"error": {"message": "Internal Server Error."}}), ["500", "Internal Server Error."]),
    "too many requests": (
        Harm("answer", status=429, body={"error": {"message": "slow down"}}, headers={"retry-after": "3600"}),
        ["too busy", "run again later"],
    ),
    "a virtual key for the master key": (None, ["give the master key"]),
    "HTTPS to a server without TLS": (None, ["TLS"]),
}
REFUSED = [json.dumps(variables)[:60] for variables, _words in BAD_INPUT] + list(BAD_GATEWAYS)


@pytest.fixture(scope="module")
def refusals(gateway, tmp_path_factory):
    """Run one play in which the role refuses each case of REFUSED; return its outputs and all aliases that exist afterwards."""
    folder = tmp_path_factory.mktemp("bad-input")
    alias = f"no-admin-{uuid.uuid4().hex[:10]}"
    special = {
        "a virtual key for the master key": {"litellm_master_key": gateway.post("/key/generate", key_alias=alias)["key"]},
        "HTTPS to a server without TLS": {"litellm_url": gateway.url.replace("http:", "https:")},
    }
    with contextlib.ExitStack() as proxies:
        proxies.callback(gateway.post, "/key/delete", key_aliases=[alias])
        for name, (harm, _words) in BAD_GATEWAYS.items():
            if harm:
                special[name] = {"litellm_url": proxies.enter_context(FaultyProxy(gateway.url, harm)).url}
        outputs = outputs_of_refusals(gateway, folder, [variables for variables, _words in BAD_INPUT] + [special[name] for name in BAD_GATEWAYS])
    return outputs, [key["key_alias"] for key in gateway.keys("virtkey-")]


def outputs_of_refusals(gateway, folder, cases):
    """Run the role with each case of variables in one play that continues after failures; return the output of each case."""
    tasks = []
    for number, variables in enumerate(cases):
        given = {"ACTION": "provision", "guid": f"bad{number}-{uuid.uuid4().hex[:10]}", **gateway.variables, **QUIET, f"{P}retry_count": 0, **variables}
        role = {"name": f"Refuse {number}", "ansible.builtin.include_role": {"name": ROLE}, "vars": given}
        tasks.append({"name": f"Bad input {number}", "block": [role], "rescue": [{"name": "Refused", "ansible.builtin.meta": "noop"}]})
    play = folder / "bad_input.yml"
    play.write_text(yaml.safe_dump([{"name": "Bad input", "hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    return re.split(r"TASK \[Refuse \d+\]", Playbooks(folder)(play).output)[1:]


@pytest.mark.parametrize("number", range(len(REFUSED)), ids=REFUSED)
def test_bad_input_is_refused_in_one_sentence_before_anything_is_written(refusals, number):
    outputs, aliases = refusals
    assert "TASK [Refused]" in outputs[number]
    (message,) = set(re.findall(r'"msg": "((?:[^"\\]|\\.)*)"', outputs[number])) or {""}
    message = json.loads(f'"{message}"')
    variables, words = BAD_INPUT[number] if number < len(BAD_INPUT) else ({}, BAD_GATEWAYS[REFUSED[number]][1])
    for word in words:
        assert word in message
    assert len(message) < 400
    guid = variables.get("guid", f"bad{number}-")
    assert not [alias for alias in aliases if alias.startswith(f"virtkey-{guid}") and guid]


def test_a_missing_guid_is_refused_in_one_sentence(playbook):
    run = playbook("provision", {"litellm_url": "http://127.0.0.1:9", "litellm_master_key": "sk-none"}, check=False)
    assert run.returncode != 0
    assert set(re.findall(r'"msg": "((?:[^"\\]|\\.)*)"', run.output)) == {"guid is not set; give the GUID of the lab."}


def test_only_provision_checks_the_package_and_the_number_of_users(lab):
    gone = {f"{P}subscription_package": "gold", "num_users": 1001}
    lab.act("provision")
    for action in ("extend", "rotate", "stop", "start", "adopt", "destroy"):
        lab.catalog_item(action, **gone)
    assert not lab.rows


@pytest.mark.parametrize("action", ["destroy", "extend", "rotate"])
def test_fault_02_a_wrong_master_key_is_an_error_and_never_nothing_to_do(lab, action):
    lab.act("provision")
    run = lab.act(action, check=False, litellm_master_key="sk-not-the-master-key")
    assert run.returncode != 0
    assert "does not know the API key" in run.output
    assert len(lab.rows) == 1


@pytest.mark.parametrize("action", ["extend", "rotate"])
def test_a_lab_without_keys_cannot_be_changed(lab, action):
    run = lab.act(action, check=False)
    assert run.returncode != 0
    assert f"the gateway has no key of the lab virtkey-{lab.guid}" in run.output
