# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The module key_mail. Sending is tested on real servers in tests/integration."""

from __future__ import annotations

import json

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery import outbox
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery.mail import Notice
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.modules import run_module

KEY = "sk-stoEN1JAQJQCe8fmu0i5L_wwnqvuGMVYok3FbyaTj8s"


def test_every_field_of_a_notice_can_be_given() -> None:
    assert set(outbox.MESSAGE_SPEC) == set(Notice.__dataclass_fields__)


def test_the_key_is_hidden_and_nothing_else_is() -> None:
    message = {"kind": "approval", "to": "ada@example.org", "id": "1", "value": KEY, "note": "approval"}
    result = run_module("key_mail", {"messages": [message]}, check=True, no_log=False)
    if "invocation" in result:  # ansible-core before 2.21 returns what it was given
        assert result["invocation"]["module_args"]["messages"][0]["value"] == "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
        assert result["invocation"]["module_args"]["messages"][0]["note"] == "approval"
    assert result["mails"][0]["to"] == "ada@example.org"
    assert KEY not in json.dumps(result)
