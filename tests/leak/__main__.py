# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Hunt for secrets in what the collection prints, runs and leaves behind:

    make leak-check [ARGS="--core core-2.19 --core core-2.21"]

Runs the playbooks with -vvvv on a real LiteLLM and a real SMTP server, with success and failure, in check and diff mode,
on each supported ansible-core that this machine has a Python for. Secrets travel in a private file of extra variables. The hunt
searches for them in the output and the log, in the arguments and environments of all running processes, and in every
file that is left: temporary folders, fact caches, user info. Ends with a table, and with status 1 if one was found.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets as random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.tests.leak.hunt import Leak, Place, Secrets, Watch, leaks_in_files
from ansible_collections.rhpds.litellm_virtual_keys.tests.leak.story import LEFT_OUT, Run, shared, story
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import ANSIBLE_ENVIRONMENT, COLLECTION
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import Gateway, GatewayFolder, gateway_variables, start_gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.smtp import Server, new_server
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.tables import Table
from ansible_collections.rhpds.litellm_virtual_keys.tests.tools.workshop import PYTHONS, environment, interpreter

COLLECTION_ROOT = Path(__file__).parents[2]
SMTP_USER = "mailer"
WRONG = {"master_key": "sk-", "smtp_password": "", "secret": ""}
"""Wrong secrets, and how each begins."""
KEYS = frozenset({"a key"})
MEANT = (
    Place(r"output/(provision|rotate)-user-(data|info|body)\.yaml", KEYS),
    Place(r"output/project\.env", KEYS),
)
"""Files that are meant to hold keys."""


class World:
    """The gateway, the mail server and all secrets."""

    def __init__(self, gateway: Gateway, server: Server, named: Mapping[str, str], variables: Mapping[str, Any]) -> None:
        self.gateway, self.server, self._variables = gateway, server, variables
        self.wrong = {name: prefix + random.token_urlsafe(24) for name, prefix in WRONG.items()}
        self.named = {
            "master key": gateway.master_key,
            "derivation secret": random.token_urlsafe(24),
            **named,
            **{f"wrong {name}": value for name, value in self.wrong.items()},
        }

    @property
    def variables(self) -> dict[str, Any]:
        secret = self.named["derivation secret"]
        return {
            **self._variables,
            **self.gateway.variables,
            "litellm_derivation_secret": secret,
            "ocp4_workload_litellm_virtual_keys_secret": secret,
            "key_requests_secret": secret,
            "key_delivery_smtp_host": self.server.host,
            "key_delivery_smtp_port": self.server.port,
            "key_delivery_smtp_use_tls": self.server.tls,
            "key_delivery_smtp_ca_path": str(self.server.ca_path),
            "key_delivery_smtp_user": SMTP_USER,
            "key_delivery_smtp_password": self.named["SMTP password"],
        }


def playbooks() -> Iterator[str]:
    """The collection's playbooks by the names that `ansible-playbook` takes after the collection's own."""
    for path in (COLLECTION_ROOT / "playbooks").glob("*.yml"):
        yield path.stem


def main() -> int:
    parser = argparse.ArgumentParser(prog="make leak-check", description="Hunt for secrets in what the collection prints, runs and leaves behind.")
    parser.add_argument("--core", action="append", choices=sorted(PYTHONS), help="only this ansible-core; may be given again")
    options = parser.parse_args()
    covered = {run.playbook for run in story("", dict.fromkeys(WRONG, ""))}
    without = set(playbooks()) - covered
    if without != set(LEFT_OUT):
        print(f"these playbooks have no run in the story, and no reason: {', '.join(sorted(without ^ set(LEFT_OUT)))}", file=sys.stderr)
        return 1
    print("Starting a real LiteLLM with a real PostgreSQL (15 s; minutes the first time) ...", file=sys.stderr, flush=True)
    rows: list[list[Any]] = []
    with GatewayFolder() as folder, tempfile.TemporaryDirectory() as mail:
        password = random.token_urlsafe(24)
        server = new_server(Path(mail), users={SMTP_USER: password})
        server.start()
        try:
            provider_key = f"sk-proj-{random.token_urlsafe(24)}"
            variables = {"litellm_gateway_environment": {"OPENAI_API_KEY": provider_key}}
            gateway = start_gateway(folder / "leak", **variables)
            world = World(gateway, server, {"SMTP password": password, "provider's key": provider_key}, {**gateway_variables(gateway.dir), **variables})
            for core in options.core or PYTHONS:
                if interpreter(PYTHONS[core]):
                    rows.append(hunt(world, core))
                else:
                    print(f"{core} is left out: this machine has none of Python {', '.join(PYTHONS[core])}", file=sys.stderr)
        finally:
            server.stop()
    print(f"\n{Table('Secrets hunt', ['ansible-core', 'runs', 'looks at processes', 'leaks', 'other faults', 'seconds'], rows)}")
    return 1 if not rows or any(row[3] or row[4] for row in rows) else 0


def hunt(world: World, core: str) -> list[Any]:
    """Tell the whole story with one ansible-core, print every finding at once, and return the row for the table."""
    ansible_playbook = environment(core) / "bin" / "ansible-playbook"
    hidden = Secrets(world.named)
    started, runs, looks, leaks, faults = time.monotonic(), 0, 0, 0, 0
    with tempfile.TemporaryDirectory(prefix="leak-check-") as private, tempfile.TemporaryDirectory(prefix="leak-check-") as left:
        folder = Path(left)
        key_file = Path(private) / "provider.key"
        key_file.touch(mode=0o600)
        key_file.write_text(world.named["provider's key"])
        config = Path(private) / "config.yaml"
        config.touch(mode=0o600)
        config.write_text(json.dumps(requestor_config(world)))
        own = {"key_file": str(key_file), "requestor_config": str(config)}
        for name in ("output", "home", "tmp"):
            (folder / name).mkdir(mode=0o700)
        for run in story(f"leak{core.replace('.', '').replace('-', '')}", world.wrong):
            for mode in (["--check", "--diff"], ["--diff"]) if run.check else (["--diff"],):
                with Watch(hidden, os.getpid()) as watch:
                    variables = {**world.variables, **own, **shared(folder), **run.variables}
                    status, printed = play(ansible_playbook, run, mode, variables, Path(private), folder)
                found = {Leak(name, "the output") for name in hidden.found_in(printed)} | watch.leaks | set(leaks_in_files(folder, hidden, MEANT))
                # In check mode a run cannot meet the faults of parts that it does not call.
                wrong = (status == 0) == run.fails and not (run.fails and "--check" in mode)
                runs, looks, leaks, faults = runs + 1, looks + watch.samples, leaks + len(found), faults + wrong
                ending = "; ".join(map(str, sorted(found, key=str))) or "nothing"
                print(f"{core} {run.label} {' '.join(mode)}: status {status}, {ending}", file=sys.stderr, flush=True)
                if wrong:
                    print(printed.decode(errors="replace")[-3000:] if not found else "its output is not shown, it holds secrets", file=sys.stderr)
    return [core, runs, looks, leaks, faults, round(time.monotonic() - started, 1)]


def requestor_config(world: World) -> dict[str, Any]:
    """Return a configuration of the LLM Key Requestor with all secrets that it can hold."""
    smtp = {"host": world.server.host, "user": SMTP_USER, "password": world.named["SMTP password"]}
    unused = {"admin": {"username": "admin", "password": world.wrong["secret"]}, "mcp": {"api_key": world.wrong["master_key"]}}
    return {"litellm": {"base_url": world.gateway.url, "api_key": world.gateway.master_key}, "smtp": smtp, **unused}


def play(ansible_playbook: Path, run: Run, mode: list[str], variables: dict[str, Any], private: Path, folder: Path) -> tuple[int, bytes]:
    """Run the command so that Ansible writes everything below `folder`; return the status and the output."""
    file = private / "variables.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(variables))
    done = subprocess.run(
        [ansible_playbook, f"{COLLECTION}.{run.playbook}", "-vvvv", *mode, "--extra-vars", f"@{file}"],
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith(("LITELLM_", "SMTP_"))},
            **ANSIBLE_ENVIRONMENT,
            "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile",
            "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(folder / "facts"),
            "ANSIBLE_HOME": str(folder / "ansible"),
            "ANSIBLE_LOG_PATH": str(folder / "ansible.log"),
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"),
        },
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.returncode, done.stdout


if __name__ == "__main__":
    sys.exit(main())
