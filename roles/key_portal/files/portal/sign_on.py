# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The settings of single sign-on: groups and their roles, and the OpenID Connect provider. A part of `Settings`."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common.address import is_address, is_safe_endpoint
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common.printable import quoted
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

if TYPE_CHECKING:
    from .identity.roles import RoleBook

OIDC = "oidc"
_HEADER = "^[A-Za-z0-9-]{1,80}$"


class SignOnSettings(BaseSettings):
    """Groups are separated by semicolons, because commas are in the names of groups from directories."""

    admins: str = Field(
        "", validation_alias="PORTAL_ADMINS", description="Addresses of administrators who sign in by link, proxy or oidc, separated by commas."
    )
    requester_groups: str = Field(
        "",
        validation_alias="PORTAL_REQUESTER_GROUPS",
        description="Groups whose members may ask for keys, separated by semicolons; without one everybody who signs in.",
    )
    reviewer_groups: str = Field(
        "", validation_alias="PORTAL_REVIEWER_GROUPS", description="Groups whose members see all requests and decide on them, separated by semicolons."
    )
    operator_groups: str = Field(
        "",
        validation_alias="PORTAL_OPERATOR_GROUPS",
        description="Groups whose members see all requests, let failed steps be tried again and read /metrics, separated by semicolons.",
    )
    auditor_groups: str = Field(
        "", validation_alias="PORTAL_AUDITOR_GROUPS", description="Groups whose members see all requests and export the audit, separated by semicolons."
    )
    admin_groups: str = Field("", validation_alias="PORTAL_ADMIN_GROUPS", description="Groups whose members are administrators, separated by semicolons.")
    groups_claim: str = Field(
        "groups", min_length=1, max_length=100, validation_alias="PORTAL_GROUPS_CLAIM", description="The claim of the provider's tokens that names groups."
    )
    proxy_groups_header: str = Field(
        "X-Forwarded-Groups",
        pattern=_HEADER,
        validation_alias="PORTAL_PROXY_GROUPS_HEADER",
        description="The header in which a trusted proxy names the person's groups, separated by commas, for the method proxy.",
    )
    oidc_issuer: str = Field(
        "",
        validation_alias="PORTAL_OIDC_ISSUER",
        description="The issuer of the provider for the method oidc, exactly as its tokens name it, such as https://sso.example.com/realms/company.",
    )
    oidc_client_id: str = Field("", validation_alias="PORTAL_OIDC_CLIENT_ID", description="The portal's name at the provider.")
    oidc_client_secret: SecretStr = Field(
        SecretStr(""), validation_alias="PORTAL_OIDC_CLIENT_SECRET", description="The portal's secret at the provider; without one it is a public client."
    )
    oidc_scopes: str = Field(
        "openid email profile",
        validation_alias="PORTAL_OIDC_SCOPES",
        description="The scopes to ask the provider for, separated by blanks; some providers need groups too.",
    )
    oidc_name: str = Field("", max_length=60, validation_alias="PORTAL_OIDC_NAME", description="What people call the provider, for the button to sign in.")
    oidc_ca_file: str = Field(
        "", validation_alias="PORTAL_OIDC_CA_FILE", description="A PEM file with the authorities of the provider's certificate; without it the usual ones."
    )
    oidc_verified_only: bool = Field(
        True,
        validation_alias="PORTAL_OIDC_VERIFIED_ONLY",
        description=(
            "Whether to refuse people whose address the provider does not call verified. Without it, whoever can choose an address there can be anybody."
        ),
    )

    @property
    def role_book(self) -> RoleBook:
        """Who has which role. Raises ValueError for an address of PORTAL_ADMINS that cannot be one."""
        from .identity.roles import role_book  # it needs Caller, whose package needs the settings

        return role_book(self)


def groups_of(text: str) -> frozenset[str]:
    """Return the groups of a setting."""
    return frozenset(name for part in text.split(";") if (name := part.strip()))


def check_oidc(settings: SignOnSettings) -> None:
    """Raise ValueError for a provider that cannot be used."""
    if not is_address(settings.oidc_issuer):
        raise ValueError(f"PORTAL_OIDC_ISSUER is {quoted(settings.oidc_issuer)}; the method oidc needs the address of a provider, beginning with https://.")
    if not is_safe_endpoint(settings.oidc_issuer):
        raise ValueError(f"PORTAL_OIDC_ISSUER is {quoted(settings.oidc_issuer)}, to which tokens would go unencrypted; give one that begins with https://.")
    if urlsplit(settings.oidc_issuer).query or "#" in settings.oidc_issuer:
        raise ValueError(f"PORTAL_OIDC_ISSUER is {quoted(settings.oidc_issuer)}; give it without a query.")
    if not settings.oidc_client_id:
        raise ValueError("PORTAL_OIDC_CLIENT_ID is not set; give the name under which the provider knows the portal.")
    if "openid" not in settings.oidc_scopes.split():
        raise ValueError(f"PORTAL_OIDC_SCOPES is {quoted(settings.oidc_scopes)}; let openid be one of them.")
    if settings.oidc_ca_file:
        try:
            with open(settings.oidc_ca_file, "rb"):
                pass
        except OSError as error:
            raise ValueError(f"PORTAL_OIDC_CA_FILE is {quoted(settings.oidc_ca_file)}, which cannot be read: {error.strerror}.") from None
