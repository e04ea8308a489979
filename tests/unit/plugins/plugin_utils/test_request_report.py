# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The table of requests."""

from __future__ import annotations

from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_report import requests_table

ID = "61675744-cffc-5b79-8a46-d69b1c18c28e"
BROKEN = [{"name": "broken.json", "reason": "it is not JSON"}]


def request(**fields: Any) -> dict[str, Any]:
    """Return a request with the fields that are shown."""
    common = {"request_id": ID, "email": "ann@example.com", "state": "in-review", "package": None, "models": None, "created_at": "2026-11-25T19:40:12Z"}
    return {**common, **fields, "progress": {"status": "", "failure": None, **fields.pop("progress", {})}}


# ---------------------------------------------------------------------------------------------------------------- table
def test_the_table_shows_requests_and_what_was_set_aside():
    requests = [
        request(email="ada@example.com", state="approved", package="ai-developer", progress={"status": "finished"}),
        request(email="bob@example.com", state="pending", models=["openai/mistral-7b-instruct"]),
    ]
    assert requests_table(requests, BROKEN) == [
        "REQUEST                               STATE      PERSON           WISH                        DONE       ASKED",
        f"{ID}  approved   ada@example.com  ai-developer                finished   2026-11-25T19:40:12Z",
        f"{ID}  pending    bob@example.com  openai/mistral-7b-instruct  -          2026-11-25T19:40:12Z",
        "broken.json is set aside: it is not JSON",
        "2 requests",
    ]


def test_columns_are_as_wide_as_their_longest_text():
    requests = [
        request(models=["openai/granite-3-2-8b-instruct", "openai/mistral-7b-instruct"]),
        request(email="somebody.with.a.long.name@example.com", package="dev", created_at="2026-11-25T19:40:13Z"),
    ]
    head, *rows, count = requests_table(requests, [])
    assert {head.index("ASKED"), *(row.index("2026-11-25") for row in rows)} == {head.index("ASKED")}
    assert "openai/granite-3-2-8b-instruct,openai/mistral-7b-instruct" in rows[0]
    assert count == "2 requests"


def test_a_table_without_requests_has_its_head():
    assert requests_table([], []) == ["REQUEST                               STATE      PERSON  WISH  DONE       ASKED", "0 requests"]
