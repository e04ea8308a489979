# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The settings of the portal: environment variables, and the entries of the requestor's config.yaml that only a web service needs."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common.address import check_trusted_proxies, is_address, is_this_host
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common.printable import printable, quoted
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import default_directory
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import NOBODY
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.environment import API_KEY_ENVIRONMENT, SECRET_ENVIRONMENT
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.requestor_config import RequestorConfig, find_config
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import SettingsConfigDict

from .catalogue import SiteCatalogue, site_catalogue
from .health import seconds_of_interval
from .language import languages
from .rates import check_rate
from .sign_on import OIDC, SignOnSettings, check_oidc
from .signing import LEAST_SECRET
from .tls import check_certificate

DEFAULT_PASSWORD = "change-me-in-production"  # noqa: S105 - the one that the requestor documents, which is refused where it matters
USUAL_ADMIN = "admin"
FOREIGN_SECRETS = (*API_KEY_ENVIRONMENT, *SECRET_ENVIRONMENT)
"""Variables of the worker's environment that the portal must not have."""

log = logging.getLogger("portal")


class Settings(SignOnSettings):
    """The environment. Each field is one variable; its description is the documentation."""

    model_config = SettingsConfigDict(hide_input_in_errors=True, env_ignore_empty=True, populate_by_name=True, extra="ignore")

    host: str = Field("127.0.0.1", validation_alias="PORTAL_HOST", description="The address to listen on; 0.0.0.0 is every one of this machine.")
    port: int = Field(8000, ge=0, le=65535, validation_alias="PORTAL_PORT", description="The TCP port; 0 takes a free one.")
    tls_certificate_file: str = Field(
        "",
        validation_alias="PORTAL_TLS_CERTIFICATE_FILE",
        description="A PEM file with the certificate to serve HTTPS with, and those of its authorities after it; without one the portal serves HTTP.",
    )
    tls_key_file: str = Field("", validation_alias="PORTAL_TLS_KEY_FILE", description="The PEM file with the key of that certificate, without a password.")
    trusted_proxies: str = Field(
        "127.0.0.1",
        validation_alias="PORTAL_TRUSTED_PROXIES",
        description="Addresses or networks of reverse proxies, separated by commas. Of these alone X-Forwarded-For and X-Forwarded-Proto are believed.",
    )
    url: str = Field(
        "",
        validation_alias="PORTAL_URL",
        description="The address under which people open the portal, such as https://keys.example.com; links in mails begin with it.",
    )
    identity: str = Field("basic,link", validation_alias="PORTAL_IDENTITY", description="The methods of identity, in order: basic, link, oidc, proxy.")
    secret: SecretStr = Field(
        SecretStr(""),
        validation_alias="PORTAL_SECRET",
        description="Signs links and sessions, at least 32 characters; without it they end when the portal does.",
    )
    link_minutes: int = Field(30, ge=1, le=1440, validation_alias="PORTAL_LINK_MINUTES", description="Minutes for which a mailed link works.")
    session_hours: float = Field(12, gt=0, le=720, validation_alias="PORTAL_SESSION_HOURS", description="Hours for which somebody stays signed in.")
    mails_per_address: str = Field(
        "5/hour", validation_alias="PORTAL_MAILS_PER_ADDRESS", description="How many links one mailbox is sent at most, by whatever +tag."
    )
    mails_per_peer: str = Field("30/hour", validation_alias="PORTAL_MAILS_PER_PEER", description="How many links may be asked for from one IP address.")
    requests_per_address: str = Field(
        "20/hour",
        validation_alias="PORTAL_REQUESTS_PER_ADDRESS",
        description="How many different keys one person asks for at most, and POST /api/request-key for one mailbox.",
    )
    requests_per_peer: str = Field(
        "1000/hour", validation_alias="PORTAL_REQUESTS_PER_PEER", description="How many calls of POST /api/request-key may come from one IP address."
    )
    failures_per_peer: str = Field(
        "20/minute", validation_alias="PORTAL_FAILURES_PER_PEER", description="How many wrong passwords may come from one IP address."
    )
    proxy_header: str = Field(
        "X-Forwarded-Email",
        pattern="^[A-Za-z0-9-]{1,80}$",
        validation_alias="PORTAL_PROXY_HEADER",
        description="The header in which a trusted proxy names the person, for the method proxy.",
    )
    usual_language: str = Field("en", validation_alias="PORTAL_LANGUAGE", description="The language for people whose browser names none that there is.")
    web_packages: str = Field(
        "",
        validation_alias="PORTAL_WEB_PACKAGES",
        description="The folder node_modules of the pages' packages; without it web/node_modules beside the portal.",
    )
    admin_username: str = Field("", validation_alias="ADMIN_USERNAME", description="The administrator's name; without one that of config.yaml, or admin.")
    admin_password: SecretStr = Field(
        SecretStr(""),
        validation_alias="ADMIN_PASSWORD",
        description="The administrator's password; without one that of config.yaml, or the documented one, which is accepted on loopback only.",
    )
    cors_origins: str = Field(
        "http://localhost:5174",
        validation_alias="CORS_ORIGINS",
        description="Origins of front ends elsewhere, separated by semicolons. With * every page may call what needs no credentials.",
    )
    tell_state: bool = Field(
        False,
        validation_alias="PORTAL_TELL_STATE",
        description=(
            "Whether POST /api/request-key says what became of an earlier request for the same, as the requestor does. Anybody can ask that of any "
            "address, so without it the answer is that of a new request."
        ),
    )
    config_file: str = Field("", validation_alias="CONFIG_FILE", description="The requestor's config.yaml, for its catalogue and its administrator.")
    enable_litellm_models: bool | None = Field(
        None,
        validation_alias="ENABLE_LITELLM_MODELS",
        description="Whether the catalogue has what LiteLLM serves; true unless config.yaml says otherwise.",
    )
    store: Literal["file", "kubernetes"] = Field("file", validation_alias="PORTAL_STORE", description="Where requests are kept: file or kubernetes.")
    directory: str = Field("", validation_alias="LITELLM_KEY_REQUESTS_DIR", description="The directory of the store file; without it that of the user.")
    namespace: str = Field("", validation_alias="KUBERNETES_NAMESPACE", description="The namespace of the store kubernetes.")
    kubeconfig: str = Field("", validation_alias="K8S_AUTH_KUBECONFIG", description="The kubeconfig; without it the usual one, or the pod's service account.")
    context: str = Field("", validation_alias="K8S_AUTH_CONTEXT", description="The context of the kubeconfig.")
    api_host: str = Field("", validation_alias="K8S_AUTH_HOST", description="The address of the Kubernetes API, in place of a kubeconfig.")
    api_key: SecretStr = Field(SecretStr(""), validation_alias="K8S_AUTH_API_KEY", description="The token for the Kubernetes API.")
    ca_cert: str = Field("", validation_alias="K8S_AUTH_SSL_CA_CERT", description="The file of the authority of the Kubernetes API.")
    validate_certs: bool | None = Field(None, validation_alias="K8S_AUTH_VERIFY_SSL", description="Whether the certificate of the Kubernetes API is checked.")
    store_timeout: float = Field(5, gt=0, le=60, validation_alias="PORTAL_STORE_TIMEOUT", description="Seconds that one exchange with the store may take.")
    listing_seconds: float = Field(
        1,
        ge=0,
        le=60,
        validation_alias="PORTAL_LISTING_SECONDS",
        description="Seconds for which a listing of all requests is used again; own changes show at once.",
    )
    interval: str = Field(
        "30s", validation_alias="APPROVAL_QUEUE_INTERVAL", description="How often passes are made (30s, 5m, 1h), to say in /health that one is late."
    )
    metrics_token: SecretStr = Field(
        SecretStr(""),
        validation_alias="PORTAL_METRICS_TOKEN",
        description="The token, at least 32 characters, with which Prometheus reads /metrics; without one only operators can.",
    )
    log_format: Literal["text", "json"] = Field("text", validation_alias="PORTAL_LOG_FORMAT", description="Lines of the log: text or json.")
    log_persons: bool = Field(
        False, validation_alias="PORTAL_LOG_PERSONS", description="Whether lines in json name people and IP addresses; otherwise people are ids."
    )
    largest_body: int = Field(65_536, ge=1_024, le=10_000_000, validation_alias="PORTAL_LARGEST_BODY", description="Bytes that a call may send.")
    body_seconds: float = Field(15, gt=0, le=300, validation_alias="PORTAL_BODY_SECONDS", description="Seconds in which the body of a call must have arrived.")
    header_seconds: float = Field(
        10, gt=0, le=300, validation_alias="PORTAL_HEADER_SECONDS", description="Seconds in which the first line and the headers of a call must have arrived."
    )
    most_connections: int = Field(
        1_000,
        ge=10,
        le=10_000,
        validation_alias="PORTAL_MOST_CONNECTIONS",
        description="How many connections there may be; at more, the one that has waited longest without a call is closed.",
    )
    answer_seconds: float = Field(
        20,
        gt=0,
        le=120,
        validation_alias="PORTAL_ANSWER_SECONDS",
        description="Seconds in which a call is answered; with 503 if the store does not answer by then.",
    )

    @property
    def origins(self) -> list[str]:
        """The origins of CORS_ORIGINS."""
        return [origin for part in self.cors_origins.split(";") if (origin := part.strip().rstrip("/"))]

    @property
    def identity_methods(self) -> list[str]:
        """The names of the methods of identity."""
        return [name for part in self.identity.split(",") if (name := part.strip())]

    @property
    def serves_https(self) -> bool:
        return bool(self.tls_certificate_file)

    @property
    def secure_cookies(self) -> bool:
        """Whether cookies go over HTTPS only: always, unless the portal is used on this machine without it."""
        if self.serves_https:
            return True
        parts = urlsplit(self.url or f"http://{self.host}")
        return parts.scheme == "https" or not is_this_host(parts.hostname or "")

    def cookie(self, name: str) -> str:
        """Return the name of a cookie. With the prefix, browsers take it from this very host by HTTPS only."""
        return f"__Host-portal-{name}" if self.secure_cookies else f"portal-{name}"

    @property
    def packages_folder(self) -> Path:
        return Path(self.web_packages) if self.web_packages else Path(__file__).parents[1] / "web" / "node_modules"

    @property
    def has_default_password(self) -> bool:
        """Whether the administrator's password is the one that everybody can read in the documentation."""
        return self.admin_password.get_secret_value() == DEFAULT_PASSWORD

    @property
    def store_directory(self) -> str:
        return self.directory or default_directory()

    @property
    def interval_seconds(self) -> int:
        return seconds_of_interval(self.interval)


def load_settings() -> tuple[Settings, SiteCatalogue]:
    """Return the settings in this process's environment and config.yaml, and the catalogue in that. Raises ValueError, which shows no secret.

    Secrets of the worker are removed from the environment, with a warning: the portal must not have them.
    """
    for name in FOREIGN_SECRETS:
        if os.environ.pop(name, None):
            log.warning("%s is set in the portal's environment; it was dropped: only the worker needs it, so remove it here.", name)
    try:
        settings = Settings()
    except ValidationError as error:
        raise ValueError(_in_words(error)) from None
    config = find_config(settings.config_file, os.environ) or RequestorConfig()
    if config.api_key:
        log.warning("The config.yaml that the portal reads has the gateway's key, which only the worker needs; give the portal a copy without it.")
    with_served = settings.enable_litellm_models if settings.enable_litellm_models is not None else _flag(config.with_served_models)
    site, warnings = site_catalogue(config.models, config.featured_models, with_served=with_served)
    for warning in warnings:
        log.warning("%s", warning)
    return _completed(settings, config), site


def _completed(settings: Settings, config: RequestorConfig) -> Settings:
    """Return the settings with what config.yaml says and the environment does not. Raises ValueError."""
    _check_identity(settings)
    found: dict[str, Any] = {
        "admin_username": settings.admin_username or _text(config.admin, "username") or USUAL_ADMIN,
        "admin_password": SecretStr(settings.admin_password.get_secret_value() or _text(config.admin, "password") or DEFAULT_PASSWORD),
        "namespace": settings.namespace or config.namespace,
        "interval": config.interval if config.interval and "interval" not in settings.model_fields_set else settings.interval,
    }
    completed = settings.model_copy(update=found)
    if completed.has_default_password and not is_this_host(completed.host):
        raise ValueError(
            f"PORTAL_HOST is {quoted(completed.host)}, and the administrator's password is the one in the documentation; "
            "set ADMIN_PASSWORD, or listen on 127.0.0.1."
        )
    _check_connections(completed)
    _check_pages(completed)
    return completed


def _check_identity(settings: Settings) -> None:
    from .identity import METHODS

    unknown = [name for name in settings.identity_methods if name not in METHODS]
    if unknown or not settings.identity_methods:
        raise ValueError(f"PORTAL_IDENTITY is {quoted(settings.identity)}; give one or more of {', '.join(METHODS)}, separated by commas.")
    if OIDC in settings.identity_methods:
        check_oidc(settings)


def _check_connections(settings: Settings) -> None:
    """Raise ValueError for a certificate that cannot be used, and for proxies that cannot be meant."""
    if bool(settings.tls_certificate_file) != bool(settings.tls_key_file):
        raise ValueError("Only one of PORTAL_TLS_CERTIFICATE_FILE and PORTAL_TLS_KEY_FILE is set; set both, or neither to serve HTTP.")
    if settings.serves_https:
        check_certificate(settings.tls_certificate_file, settings.tls_key_file, "PORTAL_TLS_CERTIFICATE_FILE", "PORTAL_TLS_KEY_FILE")
        if urlsplit(settings.url).scheme == "http":
            raise ValueError(f"PORTAL_URL is {quoted(settings.url)}, but the portal serves HTTPS; let it begin with https://.")
    check_trusted_proxies(settings.trusted_proxies.split(","), "PORTAL_TRUSTED_PROXIES", everybody_allowed="proxy" not in settings.identity_methods)


def _check_pages(settings: Settings) -> None:
    """Raise ValueError for a setting of the pages that cannot be used."""
    if settings.url and (not is_address(settings.url) or urlsplit(settings.url).path not in ("", "/") or urlsplit(settings.url).query):
        raise ValueError(f"PORTAL_URL is {quoted(settings.url)}; give the address without a path, such as https://keys.example.com.")
    if not {"link", OIDC}.isdisjoint(settings.identity_methods) and not settings.url and not is_this_host(settings.host):
        raise ValueError(
            f"PORTAL_HOST is {quoted(settings.host)}, and nothing says under which address people open the portal; "
            "set PORTAL_URL, with which links in mails begin and to which a provider sends people back, or PORTAL_IDENTITY without link and oidc."
        )
    secret = settings.secret.get_secret_value()
    if secret and len(secret) < LEAST_SECRET:
        raise ValueError(f"PORTAL_SECRET has {len(secret)} characters; give at least {LEAST_SECRET}, such as those of `openssl rand -base64 48`.")
    token = settings.metrics_token.get_secret_value()
    if token and len(token) < LEAST_SECRET:
        raise ValueError(f"PORTAL_METRICS_TOKEN has {len(token)} characters; give at least {LEAST_SECRET}, such as those of `openssl rand -base64 48`.")
    if not secret:
        log.warning("PORTAL_SECRET is not set: mailed links and sessions end when the portal does.")
    if settings.usual_language not in languages():
        raise ValueError(f"PORTAL_LANGUAGE is {quoted(settings.usual_language)}; give one of {', '.join(languages())}.")
    for name in ("mails_per_address", "mails_per_peer", "requests_per_address", "requests_per_peer", "failures_per_peer"):
        check_rate(getattr(settings, name), str(Settings.model_fields[name].validation_alias))
    if NOBODY in settings.role_book.admins:
        raise ValueError(f"PORTAL_ADMINS names {NOBODY}, which stands for people who were erased; name an address of yours.")


def _in_words(error: ValidationError) -> str:
    problems = [f"{'.'.join(str(part) for part in problem['loc'])}: {printable(problem['msg'], 200)}" for problem in error.errors(include_input=False)]
    return f"The settings cannot be used: {'; '.join(problems)}."


def _text(section: Mapping[Any, Any], name: str) -> str:
    value = section.get(name)
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"admin.{name} in config.yaml is not a text; write it in quotes.")


def _flag(value: object) -> bool:
    return not (value is False or (isinstance(value, str) and value.strip().lower() in ("false", "no", "off", "0")))
