# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The names of the variables and actions of the role ocp4_workload_litellm_virtual_keys. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from ..role_variables import name_without_slip, sentence_about_slip

ROLE = "ocp4_workload_litellm_virtual_keys"
FULL_NAME = f"rhpds.litellm_virtual_keys.{ROLE}"

ACTIONS = {
    "provision": "provision_workload.yml",
    "create": "provision_workload.yml",
    "destroy": "remove_workload.yml",
    "remove": "remove_workload.yml",
    "extend": "extend_workload.yml",
    "rotate": "rotate_workload.yml",
    "stop": "stop_workload.yml",
    "start": "start_workload.yml",
    "adopt": "adopt_workload.yml",
}
"""The file of tasks for each action."""

NAMES = frozenset(
    (
        "subscription_package",
        "packages",
        "models",
        "duration",
        "max_budget",
        "include_docling",
        "docling_model",
        "docling_path",
        "tenant",
        "alias_format",
        "user_email_domain",
        "owner",
        "user_id_format",
        "metadata",
        "multi_user",
        "user_count",
        "user_count_max",
        "user_base",
        "remove_former_users",
        "secret",
        "on_unrecoverable",
        "known_values",
        "rotation",
        "rotation_grace",
        "extend_for",
        "extend_until",
        "api_timeout",
        "verify_ssl",
        "ca_path",
        "gateway_url",
        "key_header_name",
        "retry_count",
        "retry_delay",
        "store_key_in_facts",
        "enable_user_info_messages",
        "enable_user_info_data",
        "user_info_messages",
        "user_info_all_keys",
        "user_info_tenants",
        "user_info_no_log",
        "spend_receipt",
        "spend_receipt_file",
        "proof",
        "proof_cache_time",
        "proof_workers",
        "proof_timeout",
        "delete_method",
        "key_id",
        "force_db_delete",
        "database_url",
        "namespace",
        "postgres_pod",
        "postgres_db",
    )
)
"""The role's own variables, without the role's name."""

SOURCES = {
    "api_timeout": ("litellm_timeout",),
    "verify_ssl": ("litellm_validate_certs",),
    "ca_path": ("litellm_ca_path",),
    "key_header_name": ("litellm_key_header_name",),
    "proof": ("litellm_proof",),
    "proof_cache_time": ("litellm_proof_cache_time",),
    "proof_workers": ("litellm_proof_workers",),
    "proof_timeout": ("litellm_proof_timeout",),
    "retry_count": ("litellm_retries",),
    "retry_delay": ("litellm_retry_delay",),
    "secret": ("litellm_derivation_secret",),
    "tenant": ("ocp4_workload_tenant_keycloak_username",),
    "user_count": ("ocp4_workload_user_count", "num_users"),
    "user_base": ("ocp4_workload_user_base",),
}
"""Variables of others that are the default of one of the role's own, in their order. An error names the one that was set."""

GONE = {
    "display_key": (f"keys are never printed, so let your own play show the fact litellm_virtual_key, or use {ROLE}_enable_user_info_messages"),
    "write_bastion_profile": "use the role rhpds.litellm_virtual_keys.ocp4_workload_litellm_bastion_profile",
    "bastion_group": ("run the role rhpds.litellm_virtual_keys.ocp4_workload_litellm_bastion_profile on the hosts that shall have the profile"),
}
"""Variables of release 1.3.2 without an effect since 2.0.0, and what to do instead."""

# How alike two names are, from 0 to 1, if one may have been meant by the other.
_MEANT = 0.7


def without_effect(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return one sentence for each variable among `names` that has the role's prefix and no effect.

    The first list is about variables that release 1.3.2 knew and about misspelt ones, the second about any others.
    """
    own = {name.removeprefix(f"{ROLE}_"): name for name in sorted(names) if name.startswith(f"{ROLE}_")}
    wrong, unknown = [], []
    for short, name in own.items():
        if short in NAMES:
            continue
        if short in GONE:
            wrong.append(f"{name} is set, but has no effect since release 2.0.0; {GONE[short]}.")
        elif slip := name_without_slip(short, NAMES):
            wrong.append(sentence_about_slip(ROLE, short, slip))
        else:
            meant = difflib.get_close_matches(short, NAMES, 1, _MEANT)
            unknown.append(f"{name} is set, but this role has no such variable{f', only {ROLE}_{meant[0]}' if meant else ''}; it is passed over.")
    return wrong, unknown
