# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What the role key_portal sets for single sign-on: groups and their roles, and the OpenID Connect provider. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.validation import check_type_dict, check_type_list
from ansible.module_utils.parsing.convert_bool import boolean

from ..module_utils.common.address import is_safe_endpoint
from ..module_utils.common.printable import quoted

ROLES = ("requester", "reviewer", "operator", "auditor", "admin")
ADDRESS_NEEDED = ("link", "oidc")
"""Methods of identity that send people away and let them come back."""
_OIDC = {"issuer": "ISSUER", "client_id": "CLIENT_ID", "client_secret": "CLIENT_SECRET", "scopes": "SCOPES", "name": "NAME", "ca_path": "CA_FILE"}


def sign_on_environment(given: Mapping[str, Any], methods: list[str], role: str) -> dict[str, str]:
    """Return the portal's variables for `given`, the entry `sign_on` of the filter. Raises ValueError, whose names begin with `role`."""
    found = _group_variables(check_type_dict(given["groups"]), role)
    if found:
        found |= {"PORTAL_GROUPS_CLAIM": str(given["groups_claim"]), "PORTAL_PROXY_GROUPS_HEADER": str(given["proxy_groups_header"])}
    if "oidc" in methods:
        _check_provider(given, role)
        found |= {f"PORTAL_OIDC_{variable}": str(given[name]) for name, variable in _OIDC.items()}
        found["PORTAL_OIDC_VERIFIED_ONLY"] = str(boolean(given["verified_only"])).lower()
    return {name: value for name, value in found.items() if value}


def _group_variables(groups: Mapping[str, Any], role: str) -> dict[str, str]:
    unknown = sorted(str(name) for name in groups if name not in ROLES)
    if unknown:
        raise ValueError(f"{role}groups has {', '.join(quoted(name) for name in unknown)}, which is not a role; give some of {', '.join(ROLES)}.")
    found = {}
    for name, value in groups.items():
        names = [str(group).strip() for group in check_type_list(value or [])]
        wrong = [group for group in names if ";" in group or not group or not group.isprintable()]
        if wrong:
            raise ValueError(f"{role}groups.{name} has {quoted(wrong[0])}, which the portal cannot take as a group; leave out semicolons.")
        found[f"PORTAL_{name.upper()}_GROUPS"] = ";".join(names)
    return found


def _check_provider(given: Mapping[str, Any], role: str) -> None:
    issuer = str(given["issuer"])
    if not is_safe_endpoint(issuer):
        raise ValueError(f"{role}oidc_issuer is {quoted(issuer)}; the method oidc needs the issuer of a provider, such as https://sso.example.com.")
    if not given["client_id"]:
        raise ValueError(f"{role}oidc_client_id is empty; give the name under which the provider knows the portal.")
    if "openid" not in str(given["scopes"]).split():
        raise ValueError(f"{role}oidc_scopes is {quoted(str(given['scopes']))}; let openid be one of them.")
