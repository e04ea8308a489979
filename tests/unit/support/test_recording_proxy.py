# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The proxy with which tests count calls: once an answer has arrived, its call is in the record."""

from __future__ import annotations

import requests
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.recording_proxy import RecordingProxy
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.scripted import LoopbackServer, Reply


def test_an_answered_call_is_in_the_record() -> None:
    with LoopbackServer(lambda request: Reply(json=request.path)) as gateway, RecordingProxy(gateway.url) as proxy, requests.Session() as session:
        for number in range(300):
            assert session.get(f"{proxy.url}/{number}", timeout=30).json() == f"/{number}"
            assert [(call.path, call.status) for call in proxy.take()] == [(f"/{number}", 200)]
