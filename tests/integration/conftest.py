# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The fixtures of the integration tests, beside those of tests/conftest.py; each is described in the module that defines it."""

from __future__ import annotations

from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.requests.desk import desk
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import playbook
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.kubernetes.fixtures import kube, namespace, pytest_collection_finish
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import other_gateway, unique
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.litellm_process import without_database
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.live import live
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.vendor_gateway import vendor_gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.browser import browser
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.hooks import hooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.portal import run_portal
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.smtp import smtp
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.tls import tls_provider
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.web_pages import chromium

__all__ = [
    "browser",
    "chromium",
    "desk",
    "hooks",
    "kube",
    "live",
    "namespace",
    "other_gateway",
    "playbook",
    "pytest_collection_finish",
    "run_portal",
    "smtp",
    "tls_provider",
    "unique",
    "vendor_gateway",
    "without_database",
]
