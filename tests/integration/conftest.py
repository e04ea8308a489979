# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The fixtures of the integration tests; each is described in the module that it comes from.

Type names for annotations come from there too: ``from further_litellm import without_database
from gateway_fixtures import Gateway``.
"""

from __future__ import annotations

from browser import browser
from further_litellm import without_database
from gateway_fixtures import gateway, gateway_home, other_gateway, playbook, unique
from kube_fixtures import kube, namespace, pytest_collection_finish
from live_modules import live
from request_desk import desk
from smtp_fixtures import smtp
from tls_provider import tls_provider
from vendor_gateway import vendor_gateway

__all__ = [
    "browser",
    "desk",
    "gateway",
    "gateway_home",
    "kube",
    "live",
    "namespace",
    "other_gateway",
    "playbook",
    "pytest_collection_finish",
    "smtp",
    "tls_provider",
    "unique",
    "vendor_gateway",
    "without_database",
]
