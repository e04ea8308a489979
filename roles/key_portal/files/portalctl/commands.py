# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The command line."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from .files import GatewayError
from .locks import exclusive
from .services import SERVICES, Portal

STATE_COMMANDS = ("start", "stop", "restart")
UNIT_COMMANDS = ("prepare", "run", "wait", "finish")
"""The commands that systemd's units run, as the users of the services."""


def main(arguments: list[str]) -> int | str:
    """Print the result of a command; return the exit status, or the sentence to exit with."""
    os.umask(0o077)
    try:
        print(json.dumps(execute(arguments)))
    except GatewayError as error:
        return str(error)
    return 0


def execute(arguments: list[str]) -> dict[str, Any]:
    """Carry out a command; return its result, together with the portal's status where root or the owner asks."""
    parser = argparse.ArgumentParser(prog="portalctl", description="Start, stop and inspect a portal and its worker.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("command", choices=[*STATE_COMMANDS, "status", "init", *UNIT_COMMANDS])
    parser.add_argument("--only", choices=SERVICES, help="this service alone")
    parser.add_argument("--check", action="store_true", help="tell whether anything would be done, and do nothing")
    options = parser.parse_args(arguments)
    if options.command in UNIT_COMMANDS and options.only is None:
        parser.error(f"{options.command} wants --only")
    portal = Portal(options.directory.absolute())
    if options.command in UNIT_COMMANDS:
        return {"changed": _work_for_unit(portal, options)}
    return {"changed": _work(portal, options), **portal.status()}


def _work(portal: Portal, options: argparse.Namespace) -> bool:
    """Start, stop or restart the services, or with `--check` only predict it; return whether anything was or would be done."""
    if options.command == "status":
        return False
    if options.check:
        return options.command == "restart" or {"start": portal.would_start, "stop": portal.would_stop}[options.command](options.only)
    with exclusive(portal.directory.path):
        if options.command == "init":
            portal.initialize()
            return False
        portal.check_units(options.command)
        changed = options.command in ("stop", "restart") and portal.stop(options.only)
        return (options.command in ("start", "restart") and portal.start(options.only)) or changed


def _work_for_unit(portal: Portal, options: argparse.Namespace) -> bool:
    """Carry out a command of a systemd unit. `run` replaces this process and does not return."""
    if options.command == "run":
        for service in portal.services(options.only):
            service.run()
    elif options.command == "prepare":
        portal.prepare_unit(options.only)
    elif options.command == "wait":
        portal.wait(options.only)
    else:
        return portal.finish(options.only)
    return True
