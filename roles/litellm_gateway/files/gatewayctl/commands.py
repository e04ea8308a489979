# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The command line: what each command does, and what it prints."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from .files import GatewayError
from .gateway import SERVICES, Gateway
from .locks import find_holder

STATE_COMMANDS = ("start", "stop", "restart")
UNIT_COMMANDS = ("prepare", "run", "wait")
"""The commands that systemd's units run."""


def main(arguments: list[str]) -> int | str:
    """Print the result of a command; return the exit status, or the sentence to exit with."""
    os.umask(0o077)
    try:
        print(json.dumps(execute(arguments)))
    except GatewayError as error:
        return str(error)
    return 0


def execute(arguments: list[str]) -> dict[str, Any]:
    """Carry out a command; return its result together with the gateway's status."""
    options = parse(arguments)
    gateway = Gateway(options.directory.absolute())
    result: dict[str, Any] = {"changed": False}
    if options.command in STATE_COMMANDS:
        result = start_or_stop(gateway, options)
    elif options.command in UNIT_COMMANDS:
        result = run_unit_command(gateway, options)
    elif options.command == "init":
        result = init(gateway)
    elif options.command == "backup":
        result = back_up(gateway)
    elif options.command == "restore":
        result = restore(gateway, options.file.absolute(), options.end_sessions)
    elif options.command == "undo-restore":
        result = undo_restore(gateway, options.end_sessions)
    return {**result, **gateway.status()}


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return the options of a command line; exit with argparse's status 2 if they do not fit together."""
    parser = argparse.ArgumentParser(prog="gatewayctl", description="Start, stop, inspect, back up and restore a LiteLLM gateway.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("command", choices=[*STATE_COMMANDS, "status", "backup", "restore", "undo-restore", "init", *UNIT_COMMANDS])
    parser.add_argument("file", type=Path, nargs="?", help="the backup to restore")
    parser.add_argument("--only", choices=SERVICES, help="this service alone")
    parser.add_argument("--end-sessions", action="store_true", help="end the sessions of other programs in the database that restore replaces")
    parser.add_argument("--check", action="store_true", help="tell whether anything would be done, and do nothing")
    options = parser.parse_args(arguments)
    if (options.command == "restore") != (options.file is not None):
        parser.error("restore, and nothing else, wants the file of a backup")
    if options.command in UNIT_COMMANDS and options.only is None:
        parser.error(f"{options.command} wants --only")
    return options


def start_or_stop(gateway: Gateway, options: argparse.Namespace) -> dict[str, Any]:
    """Start, stop or restart the services, or with `--check` only predict it."""
    if options.check:
        predictions = {"start": gateway.would_start, "stop": gateway.would_stop}
        return {"changed": options.command == "restart" or predictions[options.command](options.only)}
    if gateway.directory.service_user:
        raise GatewayError(f"systemd runs the gateway in {gateway.directory.path}: use systemctl {options.command}")
    changed = False
    with gateway.directory.exclusive():
        if options.command in ("stop", "restart"):
            changed = gateway.stop(options.only)
        if options.command in ("start", "restart"):
            changed = gateway.start(options.only) or changed
    return {"changed": changed}


def init(gateway: Gateway) -> dict[str, Any]:
    """Generate secrets and choose ports that are missing."""
    with gateway.directory.exclusive():
        gateway.directory.choose_missing()
        gateway.write_connection()
    return {"changed": False}


def run_unit_command(gateway: Gateway, options: argparse.Namespace) -> dict[str, Any]:
    """Carry out a command of a systemd unit. `run` replaces this process and does not return."""
    if options.command == "run":
        for service in gateway.services(options.only):
            service.run()
    elif options.command == "prepare":
        gateway.prepare_unit(options.only)
    else:
        gateway.wait(options.only)
    return {"changed": True}


def back_up(gateway: Gateway) -> dict[str, Any]:
    """Write a backup of the database."""
    with gateway.directory.exclusive():
        return {"changed": True, "backup": str(gateway.backups.back_up("manual"))}


def restore(gateway: Gateway, backup: Path, end_sessions: bool) -> dict[str, Any]:
    """Replace the database by a backup, with LiteLLM stopped."""
    if not backup.is_file():
        raise GatewayError(f"there is no backup {backup}: look into {gateway.backups.folder}")
    with gateway.directory.exclusive():
        leave_postgres_alone(gateway)
        gateway.backups.restore(backup, end_sessions=end_sessions)
    return {"changed": True}


def undo_restore(gateway: Gateway, end_sessions: bool) -> dict[str, Any]:
    """Bring the database from before the last restore back, with LiteLLM stopped."""
    with gateway.directory.exclusive():
        leave_postgres_alone(gateway)
        gateway.backups.undo_restore(end_sessions=end_sessions)
    return {"changed": True}


def leave_postgres_alone(gateway: Gateway) -> None:
    """Let PostgreSQL run and LiteLLM not. Raises GatewayError where that is for systemd to do."""
    if not gateway.directory.service_user:
        gateway.start("postgres")
        gateway.stop("litellm")
    elif find_holder(gateway.directory.lock("litellm")):
        raise GatewayError("LiteLLM uses the database: stop its unit with systemctl first, and leave that of PostgreSQL running")
