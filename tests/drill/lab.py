# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The lab of a drill: the job that is run on it, the wanted result, and the check that compares the gateway with it."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.modules import run_module
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import ANSIBLE_ENVIRONMENT, COLLECTION
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import MOCK_MODELS, Gateway

USERS = ("user1", "user2", "user3")
SECRET = "the secret of the drills, of which every value follows"
LIFETIME = timedelta(days=30)
EXTENDED = timedelta(days=60)
GENERATIONS = (0, 1, 2)
TOLERANCE = timedelta(minutes=5)


class Lost(Exception):
    """The gateway does not have the wanted result."""


@dataclasses.dataclass(frozen=True)
class Job:
    """An operation on a lab, as a playbook and as the module call behind it."""

    name: str
    variables: Mapping[str, Any]
    module: Mapping[str, Any]
    begins_with_keys: bool
    generation: int
    """Generation of the keys afterwards."""
    lives: timedelta | None
    """Lifetime of the keys from now on; None if they are deleted."""


KEYS = {"keys": [{"user": user} for user in USERS], "models": MOCK_MODELS[:2], "duration": "30d", "package": "ai-developer"}
JOBS = (
    Job("provision", {"num_users": len(USERS)}, KEYS, begins_with_keys=False, generation=0, lives=LIFETIME),
    Job("rotate", {"ocp4_workload_litellm_virtual_keys_rotation": "drill"}, {"rotation": "drill"}, begins_with_keys=True, generation=1, lives=LIFETIME),
    Job("extend", {"ocp4_workload_litellm_virtual_keys_extend_for": "60d"}, {"extend_for": "60d"}, begins_with_keys=True, generation=0, lives=EXTENDED),
    Job("destroy", {}, {"state": "absent"}, begins_with_keys=True, generation=0, lives=None),
)


class Lab:
    """One lab of three users, and the job of the drill. User info is written to `folder`."""

    def __init__(self, gateway: Gateway, job: Job, guid: str, folder: Path) -> None:
        self.gateway, self.job, self.guid, self.folder = gateway, job, guid, folder
        self.output = ""
        """Everything that the drill's runs have printed."""
        self.was_destroyed = False
        """Whether another run has destroyed the lab meanwhile, so that its keys may be of a later generation than the job makes."""
        if job.begins_with_keys:
            self.module(KEYS)

    def value(self, user: str, generation: int) -> str:
        return derive.value(SECRET, self.alias(user), generation)

    def alias(self, user: str) -> str:
        return f"virtkey-{self.guid}-{user}"

    # ---------------------------------------------------------------------------------------------------- ways to run
    def module(self, arguments: Mapping[str, Any], url: str = "", **connection: Any) -> None:
        """Run the module in this process. It must succeed directly at the gateway; through a proxy it may fail."""
        access = {"url": url or self.gateway.url, "api_key": self.gateway.master_key, "secret": SECRET, "retry_delay": 0.05}
        result = run_module("virtual_keys", {**access, **connection, "guid": self.guid, **arguments})
        self.output += f"\n{result.get('msg', '')}"
        if result.get("failed") and not url:
            raise Lost(f"running again fails: {result['msg']}")

    def start(self, url: str = "", *, environment: Mapping[str, str] | None = None, wrapper: Sequence[str] = ()) -> subprocess.Popen[str]:
        """Start the job's playbook as a process of its own. Secrets travel in its environment."""
        variables = {"guid": self.guid, "output_dir": self.folder, "ocp4_workload_litellm_virtual_keys_retry_delay": 0.2, **self.job.variables}
        return subprocess.Popen(
            [
                *wrapper,
                str(Path(sys.executable).with_name("ansible-playbook")),
                f"{COLLECTION}.{self.job.name}",
                *(f"--extra-vars={name}={value}" for name, value in variables.items()),
            ],
            env={
                **os.environ,
                **ANSIBLE_ENVIRONMENT,
                "LITELLM_BASE_URL": url or self.gateway.url,
                "LITELLM_MASTER_KEY": self.gateway.master_key,
                "LITELLM_DERIVATION_SECRET": SECRET,
                **(environment or {}),
            },
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def end(self, process: subprocess.Popen[str], *, must_succeed: bool = False) -> int:
        """Wait for a playbook and keep what it printed."""
        printed, _nothing = process.communicate(timeout=300)
        self.output += printed
        if must_succeed and process.returncode:
            raise Lost(f"the run fails:\n{printed[-2000:]}")
        return process.returncode

    def run_again(self) -> None:
        """Run the same playbook once more, which must repair everything."""
        self.end(self.start(), must_succeed=True)

    # ------------------------------------------------------------------------------------------------------ the judge
    def judge(self) -> None:
        """Raise Lost unless the gateway has one working key for each alias and nothing else, and no secret was printed."""
        found = self.gateway.keys(f"virtkey-{self.guid}")
        listed = sorted(row["key_alias"] for row in found)
        wanted = [] if self.job.lives is None else sorted(map(self.alias, USERS))
        if listed != wanted:
            raise Lost(f"the gateway has {listed or 'no key'} instead of {wanted or 'none'}")
        rows = {row["key_alias"]: row for row in found}
        now = datetime.now(UTC)
        for alias, row in rows.items():
            left = datetime.fromisoformat(row["expires"]) - now
            if self.job.lives is not None and abs(left - self.job.lives) > TOLERANCE:
                raise Lost(f"{alias} lives for {left} instead of {self.job.lives}")
        for user in USERS:
            for generation in GENERATIONS:
                self._judge_value(user, generation, rows.get(self.alias(user)))
        secrets = [self.gateway.master_key, SECRET, *(self.value(user, generation) for user in USERS for generation in GENERATIONS)]
        if any(secret in self.output for secret in secrets):
            raise Lost("a secret was printed")

    def _judge_value(self, user: str, generation: int, row: Mapping[str, Any] | None) -> None:
        value = self.value(user, generation)
        works = row is not None and generation == self.wanted_generation(user)
        if row is not None and works != (row["token"] == hashlib.sha256(value.encode()).hexdigest()):
            raise Lost(f"the row of {user} is that of another value")
        status = requests.get(f"{self.gateway.url}/models", headers={"Authorization": f"Bearer {value}"}, timeout=30).status_code
        if status != (200 if works else 401):
            raise Lost(f"value {generation} of {user} is answered with HTTP {status} instead of {200 if works else 401}")

    def wanted_generation(self, user: str) -> int:
        """Return the generation that the user's key must be of: if the lab was destroyed meanwhile, the one after the last that was deleted."""
        if not self.was_destroyed:
            return self.job.generation
        deleted = [row["token"] for row in self.gateway.get("/key/list", return_full_object="true", status="deleted", search=self.alias(user))["keys"]]
        gone = [generation for generation in GENERATIONS if derive.token(self.value(user, generation)) in deleted]
        return max(gone, default=self.job.generation - 1) + 1

    def judge_user_info(self) -> None:
        """Raise Lost unless the key in the users' data, if the job writes any, is the one that works."""
        if self.job.name != "provision":
            return
        file = self.folder / "provision-user-data.yaml"
        saved = yaml.safe_load(file.read_text()) if file.exists() else {}
        for user in USERS:
            if (saved.get("users") or {}).get(user, {}).get("litellm_virtual_key") != self.value(user, self.job.generation):
                raise Lost(f"{file.name} does not hold the key of {user}")

    def clean(self) -> None:
        tokens = [row["token"] for row in self.gateway.keys(f"virtkey-{self.guid}")]
        if tokens:
            self.gateway.post("/key/delete", keys=tokens)
