# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Keys of release 1.3.2 (random values, known by alias) are adopted without any change for their users."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.live import GRANITE, MISTRAL, Live, token

P = "ocp4_workload_litellm_virtual_keys_"


def as_1_3_2(live: Live, *users: str) -> dict[str, str]:
    """Create keys as release 1.3.2 did, by `/key/generate` with LiteLLM's own values; return their values by user."""
    made = {}
    for user in users or ("",):
        body: dict[str, Any] = {"key_alias": live.alias(user), "models": [GRANITE], "duration": "30d", "user_id": f"{user or live.name}@lab.opentlc.com"}
        metadata = {"guid": live.name, "created_by": "agnosticd", "environment": "sandbox", "owner": "ann@example.com", "catalog_item": "unknown"}
        made[user] = str(live.gateway.post("/key/generate", **body, metadata=metadata)["key"])
    return made


def user_data(live: Live, made: dict[str, str]) -> dict[str, Any]:
    """Return user data as 1.3.2 wrote it: a single key at the top, or every user's key in the data of all users."""
    if "" in made:
        return {"litellm_virtual_key": made[""], "litellm_key_alias": live.alias(), "password": "r3dh4t1!"}
    return {f"litellm_{user}_virtual_key": value for user, value in made.items()} | {"litellm_api_endpoint": live.url}


def without_notes(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row without the fields that adoption may change: the collection's notes and the time of the change."""
    metadata = {name: value for name, value in row["metadata"].items() if name != "litellm_virtual_keys"}
    return {**{name: value for name, value in row.items() if "updated_at" not in name}, "metadata": metadata}


def test_adopted_keys_are_managed_from_then_on_and_rotated_only_on_request(live: Live) -> None:
    made = as_1_3_2(live, "user1", "user2")
    before = live.rows
    stopped = live("virtual_keys", guid=live.name, keys=[{"user": "user1"}], models=[GRANITE])
    assert stopped["code"] == "unrecoverable" and "ACTION adopt" in stopped["msg"], "as before the adoption"
    predicted = live.run_ok("key_adoption", guid=live.name, _check=True)
    assert predicted["counts"]["updated"] == 2 and live.rows == before

    adopted = live.run_ok("key_adoption", guid=live.name, known_values=user_data(live, {"user1": made["user1"]}))
    assert adopted["counts"]["updated"] == 2
    assert {key["user"]: key.get("value") for key in adopted["virtual_keys"]} == {"user1": made["user1"], "user2": None}
    assert not any(key["recoverable"] for key in adopted["virtual_keys"])
    assert {alias: without_notes(row) for alias, row in live.rows.items()} == {alias: without_notes(row) for alias, row in before.items()}
    assert all(row["metadata"]["litellm_virtual_keys"]["guid"] == live.name for row in live.rows.values())
    assert not live.run_ok("key_adoption", guid=live.name)["changed"], "a second run changes nothing"

    keys = [{"user": user} for user in ("user1", "user2", "user3")]
    again = live.run_ok("virtual_keys", guid=live.name, keys=keys, models=[GRANITE, MISTRAL], duration="1d")
    assert (again["counts"]["created"], again["counts"]["updated"], again["counts"]["rotated"]) == (1, 2, 0)
    assert [live.works(value) for value in made.values()] == [True, True] and live.rows[live.alias("user2")]["models"] == [GRANITE, MISTRAL]
    assert not live.run_ok("virtual_keys", guid=live.name, keys=keys, models=[GRANITE, MISTRAL], duration="1d")["changed"]
    live.run_ok("virtual_keys", guid=live.name, blocked=True)
    assert not live.works(made["user1"])
    live.run_ok("virtual_keys", guid=live.name, blocked=False)

    rotated = live.run_ok("virtual_keys", guid=live.name, rotation="now")
    assert rotated["counts"]["rotated"] == 3 and all(key["recoverable"] and live.works(key["value"]) for key in rotated["virtual_keys"] if "value" in key)
    assert [live.works(value) for value in made.values()] == [False, False]
    assert not any("adopted" in row["metadata"]["litellm_virtual_keys"] for row in live.rows.values())
    assert live.run_ok("virtual_keys", guid=live.name, keys=keys, models=[GRANITE], duration="1d")["counts"]["rotated"] == 0


def test_a_value_counts_only_for_its_own_key_and_is_returned_only_to_tasks_that_hide_it(live: Live) -> None:
    made = as_1_3_2(live)
    secret = {"data": {"api_key": base64.b64encode(made[""].encode()).decode(), "url": base64.b64encode(b"https://x").decode()}}
    found = live.run_ok("key_adoption", guid=live.name, known_values=secret)["virtual_keys"][0]
    assert found["value"] == made[""] and token(made[""]) == found["key_id"]
    other = live.run_ok("key_adoption", guid=live.name, known_values={"litellm_virtual_key": "sk-somebody-elses-value"})
    assert "value" not in other["virtual_keys"][0]
    seen = live.run_ok("key_adoption", guid=live.name, known_values=yaml.safe_dump(user_data(live, made)), _no_log=False)
    assert made[""] not in str(seen) and "r3dh4t1!" not in str(seen)
    assert seen["virtual_keys"][0]["alias"] == live.alias(), "text next to a value is not masked"


def test_a_lab_without_keys_cannot_be_adopted_and_other_labs_stay_as_they_are(live: Live, gateway: Gateway) -> None:
    other = Live(gateway, f"{live.name}-b")
    as_1_3_2(other)
    before = other.rows
    assert live("key_adoption", guid=live.name)["code"] == "no_such_lab"
    as_1_3_2(live, "user1")
    live.run_ok("key_adoption", guid=live.name)
    assert other.rows == before


# ---------------------------------------------------------------------------------------------- the playbook, the role
@pytest.mark.parametrize("users", [(), ("user1", "user2")], ids=["one key", "two users"])
def test_the_playbook_and_provisioning_afterwards(live: Live, playbook: Playbooks, tmp_path: Path, users: tuple[str, ...]) -> None:
    made = as_1_3_2(live, *users)
    old = tmp_path / "old-user-data.yaml"
    old.write_text(yaml.safe_dump(user_data(live, made)))
    given = {"guid": live.name, **live.gateway.variables, "output_dir": str(tmp_path), "num_users": max(1, len(users))}
    run = playbook("adopt", {**given, "user_data_file": str(old)}, "-vvv")
    assert run.changed > 0 and not any(value in run.output for value in made.values())

    def published(action: str) -> dict[str, str]:
        data = yaml.safe_load((tmp_path / f"{action}-user-data.yaml").read_text())
        own = data["users"] if users else {"": data}
        assert own.keys() == made.keys()
        return {user: values["litellm_virtual_key"] for user, values in own.items() if "litellm_virtual_key" in values}

    assert published("adopt") == made
    # What adoption published is the value in service, so it stays, whether it is given again or not.
    playbook("provision", {**given, **({f"{P}known_values": old.read_text()} if users else {})})
    assert published("provision") == made
    assert all(live.works(value) for value in made.values())
    playbook("destroy", given)
    assert not live.rows and not any(live.works(value) for value in made.values())
