# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The ways in which passes deliver keys: Secrets, mails that hold the key, and mails that say in which Secret it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.delivery import DeliverySettings
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass.post import PostResult
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.request_desk import TestDesk

SECRETS = DeliverySettings(["kubernetes_secret"], url="https://llm.example.com", namespace="llm-keys", secret_prefix="llm-virtual-key-")


@pytest.fixture
def desk(tmp_path: Path) -> TestDesk:
    return TestDesk(tmp_path)


def kinds_and_secrets(desk: TestDesk) -> list[str]:
    return [sent.get("kind", "") for sent in desk.post.sent]


def test_the_owner_of_a_key_in_a_secret_is_told_where_it_is_after_it_is_there(desk: TestDesk) -> None:
    ada = desk.ask("ada", language="de")
    desk.post.results["secret"] = PostResult(False, "forbidden")
    desk.make_pass(delivery=SECRETS)
    failure = desk.get(ada).progress.failure
    assert desk.post.sent == [] and failure is not None and failure.reason == "kubernetes_secret: forbidden"
    desk.post.results.clear()
    desk.hours_later(1)
    desk.make_pass(delivery=SECRETS)
    secret, mail = desk.post.sent
    assert (mail["kind"], mail["to"], mail["language"], mail["expires"]) == ("approval", "ada@company.com", "de", "2026-12-21T04:00:00Z")
    assert (mail["namespace"], mail["secret_name"]) == (secret["metadata"]["namespace"], secret["metadata"]["name"])
    assert mail["secret_name"] == f"llm-virtual-key-{desk.get(ada).progress.key_alias}"
    assert "value" not in mail and desk.get(ada).progress.status == "finished"
    assert set(desk.get(ada).progress.delivered) == {"kubernetes_secret", "announcement"}
    desk.hours_later(2)
    desk.make_pass(delivery=SECRETS)
    assert len(desk.post.sent) == 2, "once"


def test_an_announcement_that_fails_is_sent_again_alone(desk: TestDesk) -> None:
    ada = desk.ask("ada")
    desk.post.results["ada@company.com"] = PostResult(False, "no route")
    desk.make_pass(delivery=SECRETS)
    assert desk.get(ada).progress.status == "failed"
    desk.post.results.clear()
    desk.hours_later(1)
    desk.make_pass(delivery=SECRETS)
    assert [sent["kind"] for sent in desk.post.sent] == ["Secret", "approval"] and desk.get(ada).progress.status == "finished"


def test_a_site_without_mails_announces_nothing(desk: TestDesk) -> None:
    ada = desk.ask("ada")
    desk.make_pass(delivery=SECRETS, mails_answers=False)
    assert kinds_and_secrets(desk) == ["Secret"] and desk.get(ada).progress.status == "finished"


@pytest.mark.parametrize("value_in_mail", [True, False])
def test_with_both_methods_one_mail_holds_the_key_or_names_its_secret(desk: TestDesk, value_in_mail: bool) -> None:
    desk.ask("ada")
    both = replace(SECRETS, methods=["mail", "kubernetes_secret"], mail_include_value=value_in_mail)
    desk.make_pass(delivery=both)
    secret, mail = desk.post.sent
    assert ("value" in mail, "secret_name" in mail) == (value_in_mail, not value_in_mail)
    assert secret["kind"] == "Secret" and secret["metadata"]["labels"]["litellm-virtual-keys.rhpds/request"] == mail["request_id"]
