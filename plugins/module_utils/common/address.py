# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Addresses of HTTP services as people type them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
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


def is_safe_endpoint(url: str) -> bool:
    """Return whether secrets may go to this address: by HTTPS, or on this machine."""
    return is_address(url) and (urlsplit(url).scheme == "https" or is_this_host(urlsplit(url).hostname or ""))


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


def check_trusted_proxies(proxies: Sequence[str], name: str, *, everybody_allowed: bool) -> None:
    """Raise ValueError, which begins with `name`, for anything but addresses and networks of reverse proxies, or `*` for everybody."""
    given = [proxy.strip() for proxy in proxies]
    if "*" in given:
        if not everybody_allowed:
            raise ValueError(
                f"{name} trusts everybody (*), and the method proxy believes what a trusted proxy says of who calls; name the addresses of the proxy."
            )
        if len(given) > 1:
            raise ValueError(f"{name} has * beside addresses, where it would mean nothing; give one or the other.")
        return
    for proxy in given:
        try:
            ipaddress.ip_network(proxy)
        except ValueError as error:
            raise ValueError(f"{name} has {quoted(proxy)}, which is not the address of a machine or a network ({error}); give one such as 10.0.0.7.") from None
