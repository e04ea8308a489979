# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What the role key_portal sets for the portal and for its worker, each from the same variables. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible.module_utils.common.validation import check_type_dict, check_type_list
from ansible.module_utils.parsing.convert_bool import boolean

from ..module_utils.common.address import check_trusted_proxies, is_address, is_this_host
from ..module_utils.common.email_address import parse_address
from ..module_utils.common.printable import quoted
from ..module_utils.delivery.mailer import ENVIRONMENT, mailer_from
from ..module_utils.delivery.sealed import check_portal_url
from .portal_sign_on import ADDRESS_NEEDED, sign_on_environment
from .request_pass.interval import seconds_of as seconds_of_interval
from .requestor_config import RequestorConfig, read_config

ROLE = "key_portal_"
ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
LISTS, MAPPINGS = ("identity", "admins", "trusted_proxies", "cors_origins"), ("environment", "worker_variables")
LEAST_TOKEN = 32
"""Characters that the portal wants of its token for metrics."""
MAIL = {"host": "host", "port": "port", "user": "user", "password": "password", "from": "sender", "reply_to": "reply_to", "use_tls": "use_tls"}
"""The mail server's variables, with the options of everything that sends mail."""


def portal_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the filter portal_settings documents. Raises ValueError.

    Switches may be text, as older releases of ansible-core make them when they template a dictionary. Lists and mappings may be the text
    that an argument spec accepts for them, because it leaves the variables as they are.
    """
    given = {**given, **{name: check_type_list(given[name]) for name in LISTS}, **{name: check_type_dict(given[name]) for name in MAPPINGS}}
    seconds_of_interval(given["interval"])
    config = read_config(given["config_file"]) if given["config_file"] else RequestorConfig()
    mail, authorities = _mail_options(given["smtp"]), given["smtp"]["ca_path"]
    # Only links in mails make the portal need the mail server, and its password.
    links = _mail_environment(mail or config.mail, authorities) if "link" in given["identity"] else {}
    environment = {**_portal_environment(given), **links, **_texts(given["environment"])}
    worker = {**_worker_variables(given), **_mail_variables(mail, authorities), **given["worker_variables"]}
    _check_address(given, environment)
    _check_delivery(given, worker)
    return {"environment": environment, "worker": worker, "portal_config": _portal_config(config)}


def _texts(environment: Mapping[str, Any]) -> dict[str, str]:
    """Return environment variables as programs get them. Raises ValueError, which names a variable and not its value."""
    found = {}
    for name, value in environment.items():
        if not ENVIRONMENT_NAME.fullmatch(str(name)):
            raise ValueError(f"{ROLE}environment has {quoted(name)}, which is not the name of an environment variable; use letters, digits and _.")
        if isinstance(value, Mapping | list):
            raise ValueError(f"{ROLE}environment has a structure for {name}; give a text or a number.")
        found[str(name)] = str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
    return found


def _portal_environment(given: Mapping[str, Any]) -> dict[str, str]:
    methods, proxies = given["identity"], given["trusted_proxies"]
    if not methods:
        raise ValueError(f"{ROLE}identity is empty, so nobody could sign in; give one or more of basic, link, oidc, proxy.")
    if proxies:
        check_trusted_proxies(proxies, f"{ROLE}trusted_proxies", everybody_allowed="proxy" not in methods)
    for address in given["admins"]:
        parse_address(address, f"{ROLE}admins")
    for origin in given["cors_origins"]:
        if origin != "*" and (not is_address(origin) or urlsplit(origin).path not in ("", "/")):
            raise ValueError(f"{ROLE}cors_origins has {quoted(origin)}, which is not an origin; give one such as https://front.example.com.")
    found = {
        "PORTAL_URL": given["public_url"],
        "PORTAL_IDENTITY": ",".join(methods),
        "PORTAL_ADMINS": ",".join(given["admins"]),
        "PORTAL_PROXY_HEADER": given["proxy_header"],
        "PORTAL_TRUSTED_PROXIES": ",".join(proxies),
        "CORS_ORIGINS": ";".join(given["cors_origins"]),
        **sign_on_environment(given["sign_on"], methods, ROLE),
        **_operations(given["operations"]),
    }
    return {name: value for name, value in found.items() if value}


def _portal_config(config: RequestorConfig) -> dict[str, Any]:
    """Return the part of the requestor's config.yaml that the portal needs, which is not secret."""
    found = {"models": config.models, "featured_models": config.featured_models, "enable_litellm_models": config.with_served_models}
    return {name: value for name, value in found.items() if value is not None}


def _worker_variables(given: Mapping[str, Any]) -> dict[str, Any]:
    address = {"key_requests_portal_url": given["public_url"]} if given["public_url"] else {}
    return {**address, **({"key_requests_delivery_methods": ["sealed"]} if boolean(given["sealed_delivery"]) else {})}


def _operations(given: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables of metrics and logs. Raises ValueError."""
    token, log_format = str(given["metrics_token"]), str(given["log_format"])
    if token and len(token) < LEAST_TOKEN:
        raise ValueError(f"{ROLE}metrics_token has {len(token)} characters; give at least {LEAST_TOKEN}.")
    persons = {"PORTAL_LOG_PERSONS": "true"} if boolean(given["log_persons"]) else {}
    return {"PORTAL_METRICS_TOKEN": token, "PORTAL_LOG_FORMAT": "" if log_format == "text" else log_format, **persons}


def _mail_options(smtp: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that say how mails are sent, without those that are not set. Raises ValueError."""
    options = {option: str(smtp[name]) for name, option in MAIL.items() if smtp[name] not in ("", None)}
    if not boolean(smtp["validate_certs"]):
        options["validate_certs"] = "false"
    if boolean(smtp["allow_unencrypted"]):
        options["allow_unencrypted"] = "true"
    if "host" in options:
        try:
            mailer_from(options, {})
        except ValueError as error:
            raise ValueError(f"The variables {ROLE}smtp_* do not describe a mail server: {error}") from None
    elif options or smtp["ca_path"]:
        raise ValueError(f"{ROLE}smtp_host is empty, and other variables {ROLE}smtp_* are set; name the mail server.")
    return options


def _mail_environment(options: Mapping[str, str], authorities: str) -> dict[str, str]:
    found = {ENVIRONMENT[option]: value for option, value in options.items()}
    return {**found, "SSL_CERT_FILE": authorities} if authorities else found  # a provider of single sign-on has its own


def _mail_variables(options: Mapping[str, str], authorities: str) -> dict[str, str]:
    names = {option: name for name, option in MAIL.items()}
    found = {f"key_delivery_smtp_{names.get(option, option)}": value for option, value in options.items()}
    return {**found, "key_delivery_smtp_ca_path": authorities} if authorities else found


def _check_address(given: Mapping[str, Any], environment: Mapping[str, str]) -> None:
    """Raise ValueError if nobody could open the portal, or a link in a mail."""
    url, https = environment.get("PORTAL_URL", ""), given["tls"]
    if url and (not is_address(url) or urlsplit(url).path not in ("", "/") or urlsplit(url).query or urlsplit(url).fragment):
        raise ValueError(f"{ROLE}public_url is {quoted(url)}; give the address without a path, such as https://keys.example.com.")
    if https and urlsplit(url).scheme == "http":
        raise ValueError(f"{ROLE}public_url is {quoted(url)}, but the portal serves HTTPS; let it begin with https://.")
    if not url and not is_this_host(given["host"]) and any(name in environment["PORTAL_IDENTITY"] for name in ADDRESS_NEEDED):
        raise ValueError(
            f"{ROLE}host is {quoted(given['host'])}, and nothing says under which address people open the portal; set {ROLE}public_url, with which "
            f"links in mails begin and to which a provider sends people back, or {ROLE}identity without link and oidc."
        )


def _check_delivery(given: Mapping[str, Any], worker: Mapping[str, Any]) -> None:
    """Raise ValueError if keys are to be sealed, and no browser could open them."""
    if not boolean(given["sealed_delivery"]):
        return
    url = worker.get("key_requests_portal_url", "")
    if not url:
        raise ValueError(f"{ROLE}sealed_delivery needs the address that links to keys begin with; set {ROLE}public_url.")
    try:
        check_portal_url(str(url))
    except ValueError as error:
        raise ValueError(f"{ROLE}sealed_delivery cannot be used: {error}") from None
