# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Both services together."""

from __future__ import annotations

from ansible_collections.rhpds.litellm_virtual_keys.roles.litellm_gateway.files.gatewayctl.gateway import Gateway


def test_a_status_changes_nothing(gateway: Gateway) -> None:
    before = sorted(gateway.directory.path.rglob("*"))
    assert gateway.status() == {"url": None, "pids": {"postgres": None, "litellm": None}, "ready": False}
    assert gateway.would_start(None)
    assert not gateway.would_stop(None)
    assert not gateway.stop(None)
    assert sorted(gateway.directory.path.rglob("*")) == before
