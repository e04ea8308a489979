# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The table of requests: its columns hold whatever is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2

TEMPLATE = Path(__file__).parents[4] / "roles" / "key_requests" / "templates" / "requests.txt.j2"


def test_columns_stay_columns_whatever_was_asked_for():
    rows: list[dict[str, Any]] = [
        {"email": "ann@example.com", "package": "", "models": ["openai/granite-3-2-8b-instruct", "openai/mistral-7b-instruct"]},
        {"email": "somebody.with.a.long.name@example.com", "package": "dev", "models": None},
    ]
    common = {"request_id": "i" * 36, "state": "in-review", "progress": {"status": "finished"}, "created_at": "ASKED"}
    template = jinja2.Environment(autoescape=False, trim_blocks=True).from_string(TEMPLATE.read_text())
    table = template.render(__key_requests_shown={"requests": [{**common, **row} for row in rows], "set_aside": []})
    lines = table.splitlines()
    assert len({line.index("ASKED") for line in lines[:3]}) == 1, table
    assert lines[3] == "2 requests"
