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


def main(arguments: list[str]) -> int | str:
    """Print the result of a command; return the exit status, or the sentence to exit with."""
    os.umask(0o077)
    try:
        print(json.dumps(execute(arguments)))
    except GatewayError as error:
        return str(error)
    return 0


def execute(arguments: list[str]) -> dict[str, Any]:
    """Carry out a command; return its result together with the portal's status."""
    parser = argparse.ArgumentParser(prog="portalctl", description="Start, stop and inspect a portal and its worker.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("command", choices=[*STATE_COMMANDS, "status"])
    parser.add_argument("--only", choices=SERVICES, help="this service alone")
    parser.add_argument("--check", action="store_true", help="tell whether anything would be done, and do nothing")
    options = parser.parse_args(arguments)
    portal = Portal(options.directory.absolute())
    return {"changed": _work(portal, options), **portal.status()}


def _work(portal: Portal, options: argparse.Namespace) -> bool:
    """Start, stop or restart the services, or with `--check` only predict it; return whether anything was or would be done."""
    if options.command == "status":
        return False
    if options.check:
        return options.command == "restart" or {"start": portal.would_start, "stop": portal.would_stop}[options.command](options.only)
    changed = False
    with exclusive(portal.path):
        if options.command in ("stop", "restart"):
            changed = portal.stop(options.only)
        if options.command in ("start", "restart"):
            changed = portal.start(options.only) or changed
    return changed
