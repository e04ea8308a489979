# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The upkeep of the Secrets in which keys were delivered: what is written again, what is removed, and what is left alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.delivery import DeliverySettings
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass.key_secrets import KeySecret, SecretsUnknown
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass.post import PostResult
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass.upkeep import (
    UpkeepReport,
    find_secrets,
    outdated_and_lost,
    remove_secrets,
    update_secrets,
)
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.request_desk import AT, FakeGateway, FakePost

DELIVERY = DeliverySettings(["kubernetes_secret"], url="https://llm.example.com", namespace="llm-keys", secret_prefix="llm-virtual-key-")
NEVER, SOON, OVER = "never", "2026-12-21T04:00:00Z", "2026-11-20T04:00:00Z"


def secret(alias: str, key_id: str = "k", expires: str = NEVER) -> KeySecret:
    return KeySecret("llm-keys", f"secret-of-{alias}", f"request-of-{alias}", alias, key_id, expires)


def living(alias: str, key_id: str = "k", expires: str | None = None) -> dict[str, Any]:
    return {"alias": alias, "key_id": key_id, "expires": expires}


def remove(gateway: FakeGateway, lost: Sequence[KeySecret], *, own: frozenset[str] = frozenset(), right_gateway: bool = True) -> tuple[list[str], UpkeepReport]:
    post, report = FakePost(), UpkeepReport()
    remove_secrets(gateway, post, lost, own=own, now=AT, right_gateway=right_gateway, report=report)
    return [each.alias for each in post.removed], report


def test_a_secret_whose_key_has_another_value_or_end_is_outdated_and_one_without_a_living_key_is_lost() -> None:
    found = [secret("same"), secret("rotated"), secret("extended", expires=SOON), secret("gone"), secret("edited", expires=""), secret("in-grace")]
    keys = [living("same"), living("rotated", "k2"), living("extended", expires="2026-12-22T04:00:00Z"), living("edited")]
    outdated, lost = outdated_and_lost(found, keys, frozenset(("same", "rotated", "extended", "edited", "in-grace")))
    assert [each.alias for each in outdated] == ["rotated", "extended", "edited"]
    assert [each.alias for each in lost] == ["gone"]


def test_of_two_rows_with_one_alias_either_value_will_do() -> None:
    outdated, _lost = outdated_and_lost([secret("twice", "k2")], [living("twice", "k1"), living("twice", "k2")], frozenset(("twice",)))
    assert outdated == []


def test_a_secret_is_written_again_under_its_own_name_with_the_value_in_service() -> None:
    gateway, post, report = FakeGateway(), FakePost(), UpkeepReport()
    value = derive.value("s" * 16, "a", 1)
    gateway.keys = {"a": {"alias": "a", "value": value, "key_id": derive.token(value), "expires": SOON, "user_id": "ada@company.com"}, "b": {"alias": "b"}}
    update_secrets(gateway, post, [secret("a"), secret("b"), secret("gone-by-now")], DELIVERY, report)
    (manifest,) = post.sent
    assert (manifest["metadata"]["namespace"], manifest["metadata"]["name"]) == ("llm-keys", "secret-of-a")
    notes = {name.partition("/")[2]: text for name, text in manifest["metadata"]["annotations"].items()}
    assert notes == {"alias": "a", "owner": "ada@company.com", "request": "request-of-a", "expires": SOON, "key-id": derive.token(value)}
    assert report.updated == 1 and list(report.failures) == ["llm-keys/secret-of-b"]
    assert "its value is not known" in report.failures["llm-keys/secret-of-b"]


def test_what_kubernetes_refuses_is_reported_and_nothing_is_asked_without_need() -> None:
    gateway, post, report = FakeGateway(), FakePost(results={"secret": PostResult(False, "conflict")}), UpkeepReport()
    gateway.keys = {"a": {"alias": "a", "value": "sk-x", "expires": None}}
    update_secrets(gateway, post, [], DELIVERY, report)
    assert gateway.calls == 0
    update_secrets(gateway, post, [secret("a")], DELIVERY, report)
    assert (report.updated, report.failures) == (0, {"llm-keys/secret-of-a": "conflict"})
    assert report.lines() == ["the Secret llm-keys/secret-of-a is not as its key is: conflict"]


def test_only_what_has_certainly_ended_is_removed() -> None:
    removed, report = remove(FakeGateway(gone={"deleted"}), [secret("deleted"), secret("over", expires=OVER), secret("unknown"), secret("edited", expires="")])
    assert removed == ["deleted", "over"]
    assert report.unknown == ["llm-keys/secret-of-unknown", "llm-keys/secret-of-edited"] and report.removed == 2
    assert report.lines() == [
        "0 Secrets were updated, 2 were removed.",
        "the gateway knows nothing of the keys in 2 Secrets, llm-keys/secret-of-unknown among them; they stay.",
    ]


@pytest.mark.parametrize(("right_gateway", "removed"), [(True, ["ours"]), (False, [])])
def test_a_gateway_without_a_memory_is_believed_for_the_store_s_own_keys_only(right_gateway: bool, removed: list[str]) -> None:
    lost = [secret("ours"), secret("another-store-s")]
    assert remove(FakeGateway(remembers=False), lost, own=frozenset(("ours",)), right_gateway=right_gateway)[0] == removed


def test_a_removal_that_fails_is_reported() -> None:
    post, report = FakePost(results={"remove secret-of-a": PostResult(False, "no answer")}), UpkeepReport()
    remove_secrets(FakeGateway(gone={"a"}), post, [secret("a")], own=frozenset(), now=AT, right_gateway=True, report=report)
    assert (report.removed, report.failures, post.removed) == (0, {"llm-keys/secret-of-a": "no answer"}, [])


def test_secrets_are_looked_for_only_where_keys_are_delivered_so() -> None:
    post, report = FakePost(secrets=[secret("a")]), UpkeepReport()
    assert find_secrets(post, DeliverySettings(["mail"]), report) == []
    assert find_secrets(post, DELIVERY, report) == [secret("a")]
    post.secrets = SecretsUnknown("forbidden")
    assert find_secrets(post, DELIVERY, report) == [] and report.failures == {"llm-keys": "the Secrets cannot be listed: forbidden"}
