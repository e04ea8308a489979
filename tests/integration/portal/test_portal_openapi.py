# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The calls against their own description: whatever is sent, the answers are those that /openapi.json names, and none is a fault."""

from __future__ import annotations

import base64
from pathlib import Path

import hypothesis
import pytest
import schemathesis
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import Desk, Wish
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.app import create_app
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.identity import PERSON, BasicIdentity, Caller
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.settings import Settings
from fastapi import Request

EXAMPLES = 15


def basic(name: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:password".encode()).decode()}


class AdaHasAPassword:
    """Stands in for the methods of identity that give addresses."""

    def identify(self, request: Request) -> Caller | None:
        is_ada = request.headers.get("authorization") == basic("ada")["Authorization"]
        return Caller("ada@company.com", "test", "ada@company.com", frozenset((PERSON,))) if is_ada else None


SETTINGS = Settings(admin_password="password", cors_origins="")


def described(directory: str | None) -> schemathesis.BaseSchema:
    """Return the description of a portal with some requests of Ada's in this directory, or of one that will not be called."""
    store = DirectoryStore(directory or "/nowhere")
    for number in range(3 if directory else 0):
        Desk(store).ask(Wish("ada@company.com", models=(f"model-{number}",)))
    return schemathesis.openapi.from_asgi("/openapi.json", create_app(SETTINGS, store=store, identifiers=[AdaHasAPassword(), BasicIdentity(SETTINGS)]))


CALLS = sorted(f"{operation.ok().method.upper()} {operation.ok().path}" for operation in described(None).get_all_operations())


def takes_input(call: str) -> bool:
    """Return whether a call has a body or parameters that could be wrong."""
    method, path = call.split()
    raw = described(None).raw_schema["paths"][path][method.lower()]
    return bool(raw.get("requestBody") or raw.get("parameters"))


OF_THE_REQUESTOR = ("GET /api/admin/requests",)
"""A parameter more does no harm there, because scripts that were written for the requestor may send it."""

DEPENDENT = ("POST /api/v1/requests",)
"""A request names either models or a package, which the description of its fields cannot say."""


def check(directory: Path, call: str, mode: schemathesis.GenerationMode) -> None:
    """Make calls with data that is as described, or that is not, and check every answer."""
    method, path = call.split()
    operation = described(str(directory / "requests"))[path][method]
    left_out = [schemathesis.checks.negative_data_rejection] if call in OF_THE_REQUESTOR else []
    left_out += [schemathesis.checks.positive_data_acceptance] if call in DEPENDENT else []

    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    @hypothesis.settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(hypothesis.HealthCheck))
    def make_calls(case: schemathesis.Case) -> None:
        case.call_and_validate(headers=basic("admin" if "/admin/" in path else "ada"), excluded_checks=left_out)

    make_calls()


@pytest.mark.parametrize("call", CALLS)
def test_what_is_as_described_is_answered_as_described(tmp_path: Path, call: str) -> None:
    check(tmp_path, call, schemathesis.GenerationMode.POSITIVE)


@pytest.mark.parametrize("call", [call for call in CALLS if takes_input(call)])
def test_what_is_not_as_described_is_refused_as_described(tmp_path: Path, call: str) -> None:
    check(tmp_path, call, schemathesis.GenerationMode.NEGATIVE)
