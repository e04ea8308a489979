# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""How releases of LiteLLM differ, and how their answers tell which of them a gateway runs.

LiteLLM ignores a query parameter that it does not know, so an answer shows what the gateway can do, and a current gateway
needs no call for it. `/key/list`, as read in LiteLLM's proxy/management_endpoints/key_management_endpoints.py:

================ ============================================== ===================
release          finds the keys whose alias contains a part     lists deleted keys
================ ============================================== ===================
up to 1.80       no                                             no
1.81 to 1.83.0   no                                             `status=deleted`
1.83.3           `key_alias=PART`, for admins                   `status=deleted`
1.90             `key_alias=PART`, `substring_matching=true`    `status=deleted`
from 1.101 on    the same, and `search=PART`                    `status=deleted`
================ ============================================== ===================

A gateway that does not know `search` answers with all its keys, which include those that were searched. So this parameter
comes first: no answer to it can be mistaken for "there are no such keys".

A soft budget is kept in a budget tier (`litellm_budget_table`), to which the key's `budget_id` refers:

============ ========================== =============================================== =======================
release      rows of `/key/list` show   `/key/update` with `budget_duration` null       with `soft_budget`
============ ========================== =============================================== =======================
up to 1.89   nothing of it              is ignored                                      is ignored
1.90         `budget_id`                takes it off                                    is ignored
from 1.102   `budget_id` and the tier   takes it off                                    changes it in the tier
============ ========================== =============================================== =======================
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class PartSearch(Enum):
    """How a gateway finds the keys whose alias contains a part."""

    SEARCH = "search"
    KEY_ALIAS = "key_alias"
    NONE = "none"


@dataclass
class Capabilities:
    """What one gateway can do: what a current release can, until an answer shows otherwise."""

    part_search: PartSearch = PartSearch.SEARCH
    lists_tiers: bool = True
    takes_budget_duration_off: bool = True

    def learn_from(self, rows: Iterable[Any]) -> None:
        """Note what rows of `/key/list` show about the gateway. Those of deleted keys never have a tier."""
        for row in rows:
            if not isinstance(row, Mapping) or is_deleted(row):
                continue
            if "budget_id" not in row:
                self.lists_tiers = self.takes_budget_duration_off = False
            elif row["budget_id"] and not row.get("litellm_budget_table"):
                self.lists_tiers = False


def query_for_part(part: str, way: PartSearch) -> dict[str, str]:
    """Return the parameters of `/key/list` with which a gateway finds the aliases that contain `part`; {} if it cannot."""
    if way is PartSearch.NONE:
        return {}
    return {"key_alias": part, "substring_matching": "true"} if way is PartSearch.KEY_ALIAS else {"search": part}


def ignored_search(part: str, aliases: Iterable[str]) -> bool:
    """Return whether an answer with these aliases shows that the gateway ignored `search=part`.

    LiteLLM compares without regard to case, and PostgreSQL takes `_` and `%` for any character and any characters.
    """
    pattern = re.compile(re.escape(part).replace("_", ".").replace("%", ".*"), re.IGNORECASE | re.DOTALL)
    return not all(pattern.search(alias) for alias in aliases)


def is_deleted(row: Mapping[str, Any]) -> bool:
    """Return whether a row of `/key/list?status=deleted` is a deleted key; a gateway without that list answers with the living ones."""
    return bool(row.get("deleted_at"))
