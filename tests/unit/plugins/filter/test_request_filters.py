# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The filters of a pass over the queue of requests report what is wrong under their own names."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.rhpds.litellm_virtual_keys.plugins.filter.expiry_mails import expiry_mails
from ansible_collections.rhpds.litellm_virtual_keys.plugins.filter.expiry_notes import expiry_notes
from ansible_collections.rhpds.litellm_virtual_keys.plugins.filter.request_changes import request_changes
from ansible_collections.rhpds.litellm_virtual_keys.plugins.filter.request_keys import request_keys

AT = "2026-11-21T04:00:00Z"
KEY: dict[str, Any] = {"alias": "a", "expires": AT, "models": [], "user_id": "ada@example.com"}


def test_a_missing_package_is_reported() -> None:
    with pytest.raises(AnsibleFilterError, match="request_keys: request id-1 asks for the package gold"):
        request_keys([{"request_id": "id-1", "key_alias": "a", "package": "gold"}], {}, "1d")


def test_an_outcome_that_is_not_given_is_reported() -> None:
    with pytest.raises(AnsibleFilterError, match="request_changes: nothing is given"):
        request_changes([])


def test_a_span_that_is_not_a_duration_is_reported() -> None:
    with pytest.raises(AnsibleFilterError, match="expiry_mails: .*key_requests_expiry_notices"):
        expiry_mails([KEY], ["soon"], AT)
    with pytest.raises(AnsibleFilterError, match="expiry_notes: .*key_requests_expiry_notices"):
        expiry_notes([KEY], [{"alias": "a", "status": "delivered"}], ["soon"], AT)
