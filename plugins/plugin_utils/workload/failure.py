# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Why a task of the role ocp4_workload_litellm_virtual_keys failed, in the words of the role's own variables. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .names import ROLE

# Options of modules as their errors name them, and the variable of the role behind each. Short names count only where a
# sentence speaks of an option.
_VARIABLES = {
    r"(?<![A-Za-z0-9_])(ca_path|on_unrecoverable|retry_delay|user_base|known_values|rotation_grace|extend_for|extend_until)\b": rf"{ROLE}_\1",
    r"(?<![A-Za-z0-9_])validate_certs\b": f"{ROLE}_verify_ssl",
    r"(?<![A-Za-z0-9_])lab_alias\b": f"{ROLE}_alias_format",
    r"^api_key (?=is\b)": "litellm_master_key ",
    r"(?:(?<=^)|(?<=check that ))url (?=is\b|holds\b)": "litellm_url ",
    r"(?<![A-Za-z0-9_-])litellm_master_key or api_key\b": "litellm_master_key",
}
_UNKNOWN = "A task of this role failed and did not say why; run again with -vvv."


def cause_of(result: Mapping[str, Any]) -> str:
    """Return why a task failed, from its result (`ansible_failed_result`); of a loop, why its first item failed."""
    items = [item for item in result.get("results") or [] if isinstance(item, Mapping) and (item.get("failed") or item.get("unreachable"))]
    found = items[0] if items else result
    message = str(found.get("msg") or found.get("module_stderr") or found.get("exception") or _UNKNOWN).strip()
    for pattern, variable in _VARIABLES.items():
        message = re.sub(pattern, variable, message)
    return message
