# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""A pass in a process of its own that dies at a step, with SIGKILL. A step is a call to the gateway, a mail, or the renaming of a file."""

from __future__ import annotations

import multiprocessing
import os
import signal
import smtplib
from typing import Any

import requests
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass.options import PASS_SPEC, parts_of, pass_settings
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass.run import run_pass
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.requests.desk import CHAIN, Desk
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.death import Death

FORK = multiprocessing.get_context("fork")


def options_of(desk: Desk, **more: Any) -> dict[str, Any]:
    """Return the options of the action for a pass over the desk's queue, and `more`."""
    server = desk.server
    given = {
        "store": {"directory": str(desk.queue)},
        "gateway": {"url": desk.gateway.url, "api_key": desk.gateway.master_key},
        "mail": {"host": server.host, "port": server.port, "use_tls": server.tls, "ca_path": str(server.ca_path), "retries": 0},
        "rules": CHAIN,
        "packages": desk.variables["key_requests_packages"],
        **more,
    }
    result = ArgumentSpecValidator(PASS_SPEC).validate(given)
    assert not result.error_messages, result.error_messages
    return dict(result.validated_parameters)


def make_pass(options: dict[str, Any], die_at: int) -> None:
    """Make a pass, and die at the step of this number. Runs in a process of its own."""
    Death(die_at).wait_at((requests.Session, "send"), (smtplib.SMTP, "sendmail"), (os, "rename"))
    with parts_of(options, DataLoader(), check_mode=False, warn=print) as parts:
        run_pass(parts, pass_settings(options))


def is_killed(options: dict[str, Any], step: int) -> bool:
    """Make a pass that dies at this step, and return whether it came so far."""
    run = FORK.Process(target=make_pass, args=(options, step))
    run.start()
    run.join(120)
    assert run.exitcode in (0, -signal.SIGKILL)
    return bool(run.exitcode)
