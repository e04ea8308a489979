# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Addresses of HTTP services as people type them."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from .printable import quoted


def is_address(url: str) -> bool:
    """Return whether `url` is an http or https address that can be called."""
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return known and url.isprintable() and " " not in url


def is_this_host(host: str) -> bool:
    """Return whether `host` names the machine that asks: what goes there does not go over the network."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def gateway_address(url: str) -> str:
    """Return `url` without a slash or `/v1` at its end. Raises ValueError if it is not the plain address of a gateway."""
    if any(mark in url for mark in "@?#"):  # not shown, because it may contain a secret
        raise ValueError("url holds a user name, a query or a fragment; give the plain address of the gateway.")
    if not is_address(url):
        raise ValueError(f"url is {quoted(url, 100)}, which is not the address of a gateway; give one such as https://litellm.example.com.")
    return url.rstrip("/").removesuffix("/v1").rstrip("/")


def without_secrets(url: str) -> str:
    """Return `url` without the parts that may be secret: user name, password, query and fragment."""
    return re.sub(r"//[^/]*@", "//", re.split(r"[?#]", url, maxsplit=1)[0])
