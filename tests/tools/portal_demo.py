# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Run a gateway with models that only pretend, the portal with its worker, and a page that shows every mail, until it is interrupted.

`make portal` runs it. Nothing leaves this machine. What it leaves behind is kept, so that the next time it starts in seconds, with the
requests of before.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import workshop

MAIL_CATCHER = Path(__file__).with_name("mail_catcher")
MODELS = ("openai/granite-3-2-8b-instruct", "openai/mistral-7b-instruct", "openai/llama-3-1-8b-instruct")
PORTS = {"portal": 8000, "mails": 1080, "smtp": 1025}
"""Where people would look; another free port is taken where one is in use."""

WORKER = {
    "key_requests_rules": [
        {"name": "denylist", "config": {"list": ["openai/llama*"]}, "reason": "Llama is for the platform team only."},
        {"name": "quota", "config": {"per_person": 5}},
        {"name": "expression", "config": {"condition": "request.domain == 'example.com'", "decision": "approve"}},
        {"name": "human_review", "config": {"patterns": ["*"], "email": "reviewer@example.com"}},
    ],
    "key_requests_packages": {
        "workshop": {
            "title": "A day's workshop",
            "description": "One model, enough for a day of trying out.",
            "models": [MODELS[0]],
            "duration": "1d",
            "max_budget": 2,
        },
        "team": {
            "title": "A team's project",
            "description": "Two models for a month.",
            "models": list(MODELS[:2]),
            "duration": "30d",
            "max_budget": 50,
        },
    },
}

PORTAL = {
    "key_portal_smtp_host": "127.0.0.1",
    "key_portal_smtp_use_tls": "none",
    "key_portal_smtp_from": "LLM keys <llm-keys@example.com>",
    "key_portal_sealed_delivery": True,
}


def folder() -> Path:
    """Return where everything of the demo is kept. PostgreSQL never runs as root, and no other user may enter root's home."""
    return Path("/var/lib/litellm-virtual-keys-portal") if os.geteuid() == 0 else workshop.cache() / "portal-demo"


@contextmanager
def only_one() -> Iterator[None]:
    """Keep a second demo from moving the portal of this one to other ports. Raises SystemExit if there is one."""
    with (workshop.cache() / "portal-demo.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit("make portal runs already; end that one first, with Ctrl-C where it runs.") from None
        yield


def free_port(wanted: int) -> int:
    """Return the port if nobody listens on it, or else a free one."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise SystemExit("No port of this machine is free.")


def play(name: str, variables: dict[str, Any], *arguments: str) -> None:
    """Run a playbook of the collection. Exits if it fails."""
    command = ["ansible-playbook", f"playbooks/{name}.yml", "--extra-vars", json.dumps(variables), *arguments]
    environment = {**os.environ, "ANSIBLE_STDOUT_CALLBACK": "rhpds.litellm_virtual_keys.plain"}
    for known in ("LITELLM_BASE_URL", "LITELLM_URL", "LITELLM_API_KEY", "LITELLM_MASTER_KEY"):
        environment.pop(known, None)  # the demo has a gateway of its own
    if subprocess.run(command, env=environment, check=False).returncode:
        raise SystemExit(f"The playbook {name} failed, see above.")


def start_mail_catcher(software: Path, smtp: int, mails: int) -> subprocess.Popen[bytes]:
    """Install MailDev from npm if it is not there yet (5 s), with the Node that the gateway brought, and start it."""
    place, node = workshop.cache() / "mail-catcher", next(software.glob("litellm-*/node"))
    environment = {**os.environ, "PATH": f"{node / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    lock = (MAIL_CATCHER / "package-lock.json").read_bytes()
    if not ((place / "node_modules").is_dir() and (place / "package-lock.json").read_bytes() == lock):
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(MAIL_CATCHER, place)
        npm = [str(node / "bin/node"), str(node / "lib/node_modules/npm/bin/npm-cli.js")]
        install = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel", "error"]
        subprocess.run(install, cwd=place, env=environment, check=True)
    command = [str(place / "node_modules/.bin/maildev"), "--ip", "127.0.0.1", "--web-ip", "127.0.0.1", "--smtp", str(smtp), "--web", str(mails)]
    return subprocess.Popen([*command, "--silent"], env=environment, stdin=subprocess.DEVNULL, start_new_session=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stop-at-once", action="store_true", help="stop when all is up, to try it out")
    options = parser.parse_args()
    with only_one():
        show(stop_at_once=options.stop_at_once)


def show(*, stop_at_once: bool) -> None:
    """Start everything, print the addresses, and stop it again when somebody says so."""
    place, software = folder(), workshop.cache() / "gateway-software"
    ports = {name: free_port(port) for name, port in PORTS.items()}
    common = {"litellm_gateway_dir": str(place / "gateway"), "litellm_gateway_software_dir": str(software), "key_portal_dir": str(place / "portal")}
    url = f"http://127.0.0.1:{ports['portal']}"
    variables = {
        **common,
        "litellm_gateway_mock_models": list(MODELS),
        "key_portal_port": ports["portal"],
        **PORTAL,
        "key_portal_public_url": url,
        "key_portal_smtp_port": str(ports["smtp"]),
        "portal_worker": WORKER,
        "gateway": True,
    }
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: ended.set())
    mails: subprocess.Popen[bytes] | None = None
    try:
        play("portal", variables)
        mails = start_mail_catcher(software, ports["smtp"], ports["mails"])
        admin = place / "portal" / "secrets" / "admin_password"
        print(
            f"\nAsk for a key:   {url}/ask\n"
            f"Decide:          {url}/admin   (admin, password in {admin})\n"
            f"Read the mails:  http://127.0.0.1:{ports['mails']}\n\n"
            "People at example.com get a key at once, for those elsewhere a person decides. Ctrl-C stops everything, and keeps it.",
            flush=True,
        )
        if not stop_at_once:
            ended.wait()
    finally:
        if mails:
            mails.terminate()
        play("portal_stop", {**common, "gateway": True})


if __name__ == "__main__":
    main()
