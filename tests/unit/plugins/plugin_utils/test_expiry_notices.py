# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Warnings before keys end: which are due, and what is noted once they are sent."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.expiry_notices import expiry_mails, expiry_notes

AT = "2026-11-21T04:00:00Z"


def living(left: str, **fields: Any) -> dict[str, Any]:
    return {"alias": "a", "user_id": "user@example.com", "metadata": {}, "models": ["granite"], "expires": left, **fields}


BEFORE = ["72h", "24h", "1h"]


@pytest.mark.parametrize(
    ("ends", "due"),
    [("2026-11-25T04:00:00Z", None), ("2026-11-24T03:59:00Z", "72h"), ("2026-11-22T04:00:00Z", "24h"), ("2026-11-21T04:30:00Z", "1h"), (None, None)],
)
def test_the_latest_notice_is_sent_and_the_earlier_ones_count_as_sent(ends, due):
    mails = expiry_mails([living(ends)], BEFORE, AT)
    assert [mail["id"] for mail in mails] == ([f"a-{due} before {ends}"] if due else [])
    if due:
        (noted,) = expiry_notes([living(ends)], {"a"}, BEFORE, AT)
        assert expiry_mails([living(ends, metadata=noted["metadata"])], BEFORE, AT) == []


def test_the_owner_of_a_key_that_was_extended_is_warned_again():
    noted = {"expiry_notices": ["72h before 2026-11-24T00:00:00Z"]}
    assert len(expiry_mails([living("2026-11-24T02:00:00Z", metadata=noted)], BEFORE, AT)) == 1


def test_nobody_is_warned_about_a_retired_value_or_without_an_address():
    assert expiry_mails([living("2026-11-21T05:00:00Z", user_id="team-blue")], BEFORE, AT) == []
    assert expiry_mails([living("2026-11-21T05:00:00Z", retired_from="b")], BEFORE, AT) == []


def test_a_mail_that_failed_is_sent_again_next_time():
    assert expiry_notes([living("2026-11-21T05:00:00Z")], set(), BEFORE, AT) == []


@pytest.mark.parametrize("noted", [1, "72h", {"a": 1}, [1, None], None])
def test_whatever_others_noted_on_a_key_stops_no_warning(noted):
    assert len(expiry_mails([living("2026-11-21T05:00:00Z", metadata={"expiry_notices": noted, "owner": 42})], BEFORE, AT)) == 1


def test_a_span_that_is_not_a_duration_is_an_error_that_names_the_variable():
    with pytest.raises(ValueError, match="key_requests_expiry_notices"):
        expiry_mails([living("2026-11-21T05:00:00Z")], ["soon"], AT)
