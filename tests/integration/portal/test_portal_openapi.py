# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The calls against their own description, for callers by every method of identity: the answers are those that /openapi.json names, and none is a fault."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import Desk, Wish
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.app import create_app
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.settings import Settings
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.signing import SESSION, Signer
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import IN_COLD_RUNS

EXAMPLES = 12
"""Of each call, for each caller."""
SECRET, BOSS = "s" * 40, "boss@company.com"


@dataclass(frozen=True)
class Mode:
    """A portal's methods of identity, and what somebody sends who is an administrator by one of them."""

    settings: dict[str, str]
    headers: dict[str, str]
    is_person: bool = True
    is_admin: bool = True

    def may(self, call: str) -> bool:
        """Return whether the call is for this caller."""
        path = call.split()[1]
        return self.is_admin if "/admin/" in path else self.is_person or path in OPEN or not path.startswith("/api/v1/")


OPEN = ("/api/v1/catalogue", "/api/v1/me")
MODES = {
    "basic": Mode({"identity": "basic"}, {"Authorization": "Basic " + base64.b64encode(b"admin:password").decode()}, is_person=False),
    "link": Mode({"identity": "link"}, {"Cookie": f"portal-session={Signer(SECRET).sign(SESSION, {'email': BOSS})}"}),
    "proxy": Mode({"identity": "proxy", "trusted_proxies": "*"}, {"X-Forwarded-Email": BOSS}),
    "nobody": Mode({"identity": "basic,link,proxy"}, {}, is_person=False, is_admin=False),
}


def described(directory: str | None, mode: Mode) -> schemathesis.BaseSchema:
    """Return the description of a portal with some requests in this directory, or of one that will not be called."""
    store = DirectoryStore(directory or "/nowhere")
    for number in range(3 if directory else 0):
        Desk(store).ask(Wish(BOSS, models=(f"model-{number}",)))
    often = dict.fromkeys(("requests_per_address", "requests_per_peer", "failures_per_peer"), "1000000/hour")
    given: dict[str, Any] = {"admin_password": "password", "cors_origins": "", "secret": SECRET, "admins": BOSS, **often, **mode.settings}
    settings = Settings(**given)
    return schemathesis.openapi.from_asgi("/openapi.json", create_app(settings, store=store))


NOT_CALLED = described(None, MODES["nobody"])
CALLS = sorted(f"{operation.ok().method.upper()} {operation.ok().path}" for operation in NOT_CALLED.get_all_operations())


def takes_input(call: str) -> bool:
    """Return whether a call has a body or parameters that could be wrong."""
    method, path = call.split()
    raw = NOT_CALLED.raw_schema["paths"][path][method.lower()]
    return bool(raw.get("requestBody") or raw.get("parameters"))


def in_modes(calls: Sequence[str]) -> list[Any]:
    """Return each call with each mode. `make test` takes one of them for each call, in turn, in which the call is allowed."""
    found: list[Any] = []
    for number, call in enumerate(calls):
        allowed = [name for name, mode in MODES.items() if mode.may(call)]
        usual = allowed[number % len(allowed)]
        found += [pytest.param(call, name, marks=() if name == usual else IN_COLD_RUNS) for name in MODES]
    return found


OF_THE_REQUESTOR = ("GET /api/admin/requests",)
"""A parameter more does no harm there, because scripts that were written for the requestor may send it."""

DEPENDENT = ("POST /api/v1/requests",)
"""A request names either models or a package, which the description of its fields cannot say."""


def check(directory: Path, call: str, mode: Mode, generation: schemathesis.GenerationMode) -> None:
    """Make calls with data that is as described, or that is not, and check every answer."""
    method, path = call.split()
    operation = described(str(directory / "requests"), mode)[path][method]
    left_out = [schemathesis.checks.negative_data_rejection] if call in OF_THE_REQUESTOR else []
    left_out += [schemathesis.checks.positive_data_acceptance] if call in DEPENDENT or not mode.may(call) else []
    if "Authorization" not in mode.headers:  # the description names HTTP Basic only, and to the other methods it does not matter
        left_out += [schemathesis.checks.ignored_auth]
        left_out += [schemathesis.checks.negative_data_rejection] if method == "GET" else []

    @hypothesis.given(case=operation.as_strategy(generation_mode=generation))
    @hypothesis.settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(hypothesis.HealthCheck))
    def make_calls(case: schemathesis.Case) -> None:
        answer = case.call_and_validate(headers=mode.headers, excluded_checks=left_out)
        assert mode.may(call) or answer.status_code in (400, 401, 403, 405, 422), "nobody may do that"

    make_calls()


@pytest.mark.parametrize(("call", "mode"), in_modes(CALLS))
def test_what_is_as_described_is_answered_as_described(tmp_path: Path, call: str, mode: str) -> None:
    check(tmp_path, call, MODES[mode], schemathesis.GenerationMode.POSITIVE)


@pytest.mark.parametrize(("call", "mode"), in_modes([call for call in CALLS if takes_input(call)]))
def test_what_is_not_as_described_is_refused_as_described(tmp_path: Path, call: str, mode: str) -> None:
    check(tmp_path, call, MODES[mode], schemathesis.GenerationMode.NEGATIVE)
