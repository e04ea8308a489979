# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The OpenID Connect provider: its addresses and keys, the exchange of a code for a token, and what must be true of a token.

Authlib makes the calls and checks the claims, joserfc the signature. Only signatures by asymmetric keys count: with a shared secret, or
without a signature, whoever knows the client could write tokens.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

import requests
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common.address import is_safe_endpoint
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common.email_address import parse_address
from authlib.common.urls import add_params_to_uri
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import BadSignatureError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from ..errors import shown
from ..sign_on import SignOnSettings

log = logging.getLogger("portal")

SECONDS = 5
"""How long one call of the provider may take."""
METADATA_SECONDS = 3600
"""For how long the provider's addresses are used again."""
DOWN_SECONDS = 3
"""For how long a provider that did not answer is not asked again for its addresses."""
MOST_EXCHANGES = 8
"""How many codes are exchanged at a time, so that a provider that hangs does not take all threads."""
LEEWAY = 60
"""Seconds that the clocks of portal and provider may differ."""
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
_KEY_TYPES = ("RSA", "EC", "OKP")
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class ProviderDown(Exception):
    """The provider does not answer, or not as one; the log says why."""


class SignInRefused(Exception):
    """Nobody can be signed in by what the provider or the browser brought. `why` is for the audit log, `key` the text for the person."""

    def __init__(self, status: int, key: str, why: str) -> None:
        super().__init__(why)
        self.status, self.key, self.why = status, key, why


@dataclass(frozen=True)
class SignedOn:
    """Who the provider says somebody is. `end` is when its token ends, in seconds; `token` can be shown to it when they sign out."""

    email: str
    groups: tuple[str, ...]
    end: float
    token: str


class OidcProvider:
    """The provider of PORTAL_OIDC_ISSUER. Nothing is asked of it before somebody signs in."""

    def __init__(self, settings: SignOnSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._clock = settings, clock
        self._lock = threading.Lock()
        self._exchanges = threading.BoundedSemaphore(MOST_EXCHANGES)
        self._metadata: Mapping[str, Any] = {}
        self._read_at = self._failed_at = float("-inf")
        self._keys: KeySet | None = None

    # ------------------------------------------------------------------------------------------------- addresses
    def authorization_address(self, redirect: str, *, state: str, nonce: str, verifier: str, language: str) -> str:
        """Return where the browser goes to sign in. Raises ProviderDown."""
        endpoint = self._read_metadata()["authorization_endpoint"]
        session = OAuth2Session(self._settings.oidc_client_id, scope=self._settings.oidc_scopes, redirect_uri=redirect, code_challenge_method="S256")
        address, _state = session.create_authorization_url(endpoint, state=state, code_verifier=verifier, nonce=nonce, ui_locales=language)
        return str(address)

    def logout_address(self, after: str, token: str) -> str:
        """Return where the browser goes to sign out at the provider, which sends it on to `after`; empty if the provider has no such place."""
        try:
            endpoint = str(self._read_metadata().get("end_session_endpoint") or "")
        except ProviderDown:
            return ""
        if not is_safe_endpoint(endpoint):
            return ""
        hint = [("id_token_hint", token)] if token else []
        return str(add_params_to_uri(endpoint, [*hint, ("client_id", self._settings.oidc_client_id), ("post_logout_redirect_uri", after)]))

    def _read_metadata(self) -> Mapping[str, Any]:
        """Return what the provider publishes about itself, read again once an hour. Raises ProviderDown."""
        with self._lock:
            now = self._clock()
            if self._metadata and now - self._read_at < METADATA_SECONDS:
                return self._metadata
            if now - self._failed_at < DOWN_SECONDS:
                if self._metadata:
                    return self._metadata
                raise ProviderDown
            try:
                self._metadata = self._checked(self._get(f"{self._settings.oidc_issuer.rstrip('/')}/.well-known/openid-configuration"))
                self._read_at = self._clock()
            except ProviderDown:
                self._failed_at = self._clock()
                if not self._metadata:
                    raise
            return self._metadata

    def _checked(self, metadata: Mapping[str, Any]) -> Mapping[str, Any]:
        if metadata.get("issuer") != self._settings.oidc_issuer:
            log.error("The provider calls itself %s; let PORTAL_OIDC_ISSUER be exactly that, if it is the right one.", shown(str(metadata.get("issuer"))))
            raise ProviderDown
        wrong = [name for name in _ENDPOINTS if not is_safe_endpoint(str(metadata.get(name) or ""))]
        if wrong:
            log.error("The provider's %s cannot be called, or only unencrypted.", " and ".join(wrong))
            raise ProviderDown
        return metadata

    def _get(self, address: str, **options: Any) -> dict[str, Any]:
        """Return the JSON at an address of the provider. Raises ProviderDown."""
        with _answering(address):
            answer = requests.get(address, timeout=SECONDS, verify=self._verify, allow_redirects=False, **options)
            if answer.status_code != 200:
                raise ValueError(f"status {answer.status_code}")
            found = answer.json()
            if not isinstance(found, dict):
                raise ValueError("not an object")
            return found

    @property
    def _verify(self) -> bool | str:
        return self._settings.oidc_ca_file or True

    # --------------------------------------------------------------------------------------------------- tokens
    def redeem(self, code: str, redirect: str, *, nonce: str, verifier: str, now: float) -> SignedOn:
        """Return who signed in, for the code that the browser brought. `now` is in seconds. Raises ProviderDown and SignInRefused."""
        metadata = self._read_metadata()
        if not self._exchanges.acquire(timeout=1):
            log.error("Too many sign-ins wait for the provider.")
            raise ProviderDown
        try:
            token = self._exchanged(metadata, code, redirect, verifier)
            claims = self._claims_of(metadata, token, nonce, now)
            return self._signed_on(self._completed(metadata, claims, token), str(token["id_token"]))
        finally:
            self._exchanges.release()

    def _exchanged(self, metadata: Mapping[str, Any], code: str, redirect: str, verifier: str) -> dict[str, Any]:
        name, secret = self._settings.oidc_client_id, self._settings.oidc_client_secret.get_secret_value()
        methods = metadata.get("token_endpoint_auth_methods_supported") or ("client_secret_basic",)
        method = "none" if not secret else "client_secret_basic" if "client_secret_basic" in methods else "client_secret_post"
        if method == "client_secret_basic":
            name, secret = quote_plus(name), quote_plus(secret)
        options: dict[str, Any] = {"timeout": SECONDS, "verify": self._verify, "allow_redirects": False}
        with _answering(metadata["token_endpoint"]), OAuth2Session(name, secret or None, token_endpoint_auth_method=method) as session:
            try:
                return dict(session.fetch_token(metadata["token_endpoint"], code=code, code_verifier=verifier, redirect_uri=redirect, **options))
            except OAuthError as error:
                if error.error == "invalid_grant":
                    raise SignInRefused(400, "error.sso_failed", "the provider did not take the code") from None
                raise ValueError(f"it refuses the portal: {error.error} {error.description or ''}") from None

    def _claims_of(self, metadata: Mapping[str, Any], token: Mapping[str, Any], nonce: str, now: float) -> dict[str, Any]:
        """Return the claims of a token that is for us, for this sign-in and for now. Raises ProviderDown and SignInRefused."""
        try:
            signed = self._verified(metadata, str(token.get("id_token", "")))
            options: Any = {"iss": {"essential": True, "value": self._settings.oidc_issuer}, "aud": {"essential": True, "value": self._settings.oidc_client_id}}
            params = {"nonce": nonce, "client_id": self._settings.oidc_client_id, "access_token": token.get("access_token")}
            claims = CodeIDToken(signed.claims, signed.header, options, params)
            claims.validate(now=int(now), leeway=LEEWAY)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise SignInRefused(403, "error.sso_refused", f"the token is not valid: {_words(error)}") from None
        return dict(claims)

    def _verified(self, metadata: Mapping[str, Any], token: str) -> jwt.Token:
        """Return a token whose signature is right. Keys are read again if it is not, because the provider may have changed them."""
        offered = metadata.get("id_token_signing_alg_values_supported") or ("RS256",)
        registry = JWSRegistry(algorithms=[name for name in ALGORITHMS if name in offered], strict_check_header=False)
        if self._keys is not None:
            with suppress(InvalidKeyIdError, BadSignatureError):
                return jwt.decode(token, self._keys, registry=registry)
        self._keys = self._read_keys(metadata)
        return jwt.decode(token, self._keys, registry=registry)

    def _read_keys(self, metadata: Mapping[str, Any]) -> KeySet:
        keys = self._get(metadata["jwks_uri"]).get("keys") or []
        return KeySet.import_key_set({"keys": [key for key in keys if key.get("kty") in _KEY_TYPES]})

    def _completed(self, metadata: Mapping[str, Any], claims: dict[str, Any], token: Mapping[str, Any]) -> dict[str, Any]:
        """Return the claims with those that this provider only tells at its userinfo endpoint. Raises ProviderDown and SignInRefused."""
        endpoint, access = str(metadata.get("userinfo_endpoint") or ""), token.get("access_token")
        if "email" in claims and _claim(claims, self._settings.groups_claim) is not None:
            return claims
        if not access or not is_safe_endpoint(endpoint):
            return claims
        more = self._get(endpoint, headers={"Authorization": f"Bearer {access}"})
        if more.get("sub") != claims["sub"]:
            raise SignInRefused(403, "error.sso_refused", "the provider told of somebody else")
        known = claims if "email" in claims else {name: value for name, value in claims.items() if name != "email_verified"}  # it is about that address
        return {**more, **known}

    def _signed_on(self, claims: Mapping[str, Any], token: str) -> SignedOn:
        given = claims.get("email")
        if not given:
            raise SignInRefused(403, "error.sso_no_email", "the provider told no address")
        try:
            email = str(parse_address(given))
        except ValueError:
            raise SignInRefused(403, "error.sso_no_email", "what the provider told is not an address") from None
        if self._settings.oidc_verified_only and claims.get("email_verified") not in (True, "true"):
            raise SignInRefused(403, "error.sso_unverified", "the provider does not call the address verified")
        found = _claim(claims, self._settings.groups_claim)
        names = [found] if isinstance(found, str) else found if isinstance(found, list) else []
        return SignedOn(email, tuple(name for name in names if isinstance(name, str)), float(claims["exp"]) + LEEWAY, token)


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """Return a claim by its name, or by its path with points, such as realm_access.roles."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _words(error: Exception) -> str:
    """Return what is wrong with a token, without what stands in it."""
    claim = getattr(error, "claim", "")
    return f"{getattr(error, 'error', type(error).__name__)}{f' ({claim})' if claim else ''}"


@contextmanager
def _answering(address: str) -> Any:
    """Log what goes wrong with a call of the provider, and raise ProviderDown for it."""
    try:
        yield
    except (requests.RequestException, ValueError) as error:
        log.error("The provider for single sign-on cannot be used: %s: %s", shown(address), shown(f"{type(error).__name__}: {error}"))
        raise ProviderDown from None
