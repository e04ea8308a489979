# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Stand in for `systemctl` on machines that do not run systemd: run the commands of a unit file, as its user, with its credentials.

Sandboxing is left out; `systemd-analyze` checks those lines. Must be run as root.

    STAND_IN_UNITS=<folder of the units> STAND_IN_STATE=<a folder> systemctl_stand_in.py start|stop|... UNIT
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

UNITS, STATE = Path(os.environ["STAND_IN_UNITS"]), Path(os.environ["STAND_IN_STATE"])
WANTS = UNITS / "multi-user.target.wants"
STOP_SECONDS = 60


class Unit:
    def __init__(self, name: str) -> None:
        self.name = name
        self.file = UNITS / name
        lines = [line.strip() for line in self.file.read_text().splitlines()] if self.file.exists() else []
        self.settings = [tuple(line.split("=", 1)) for line in lines if "=" in line and not line.startswith("#")]
        self.pid_file, self.credentials = STATE / f"{name}.pid", STATE / f"{name}.credentials"

    def all(self, setting: str) -> list[str]:
        return [value for name, value in self.settings if name == setting]

    @property
    def pid(self) -> int | None:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            pid = int(self.pid_file.read_text())
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            return pid if state != "Z" else None
        return None

    @property
    def group(self) -> int:
        named = self.all("Group")
        return grp.getgrnam(named[0]).gr_gid if named else pwd.getpwnam(self.all("User")[0]).pw_gid

    def spawn(self, command: str) -> subprocess.Popen[bytes]:
        user = pwd.getpwnam(self.all("User")[0])
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "LANG": "C.UTF-8", "HOME": user.pw_dir, "USER": user.pw_name}
        with open(STATE / "journal.log", "ab") as log:
            return subprocess.Popen(
                shlex.split(command),
                env={**environment, "CREDENTIALS_DIRECTORY": str(self.credentials)},
                user=user.pw_uid,
                group=self.group,
                extra_groups=[],
                cwd="/",
                umask=0o077,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def hand_over(self) -> None:
        """Write the credentials, which only the service's user can read."""
        user = pwd.getpwnam(self.all("User")[0])
        shutil.rmtree(self.credentials, ignore_errors=True)
        self.credentials.mkdir(mode=0o500)
        for credential in self.all("LoadCredential"):
            name, _colon, path = credential.partition(":")
            target = self.credentials / name
            shutil.copyfile(path, target)
            target.chmod(0o400)
            os.chown(target, user.pw_uid, self.group)
        os.chown(self.credentials, user.pw_uid, self.group)

    def before(self) -> bool:
        self.hand_over()
        return all(self.spawn(command).wait() == 0 for command in self.all("ExecStartPre"))

    def start(self) -> bool:
        if self.pid:
            return True
        if not self.before():
            return False
        self.pid_file.write_text(str(self.spawn(self.all("ExecStart")[0]).pid))
        if all(self.spawn(command).wait() == 0 for command in self.all("ExecStartPost")):
            return True
        self.stop()
        return False

    def stop(self) -> bool:
        pid = self.pid
        for command in self.all("ExecStop") if pid else ():
            self.spawn(command).wait()
        if pid and self.pid:
            os.kill(pid, signal.Signals[(self.all("KillSignal") or ["SIGTERM"])[0]])
            deadline = time.monotonic() + STOP_SECONDS
            while self.pid and time.monotonic() < deadline:
                time.sleep(0.05)
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        shutil.rmtree(self.credentials, ignore_errors=True)
        return True


def main(words: list[str]) -> int:
    command, *names = [word for word in words if not word.startswith("-")]
    if command == "is-system-running":
        print("running")
        return 0
    if command == "daemon-reload":
        return 0
    if command == "boot":  # what a machine does at boot
        return 0 if all(Unit(path.name).start() for path in sorted(WANTS.iterdir(), key=lambda path: "postgres" not in path.name)) else 1
    unit = Unit(names[0])
    link = WANTS / unit.name
    if command == "show":
        print(f"LoadState={'loaded' if unit.file.exists() else 'not-found'}\nActiveState={'active' if unit.pid else 'inactive'}\nId={unit.name}")
    elif command == "is-enabled":
        print("enabled" if link.is_symlink() else "disabled")
        return 0 if link.is_symlink() else 1
    elif command == "enable":
        WANTS.mkdir(exist_ok=True)
        link.symlink_to(unit.file)
    elif command == "disable":
        link.unlink()
    elif command == "before":
        return 0 if unit.before() else 1
    elif command == "stop" or (command == "restart" and unit.stop() and not unit.start()):
        return 0 if command == "stop" and unit.stop() else 1
    elif command == "start":
        return 0 if unit.start() else 1
    elif command != "restart":
        sys.exit(f"the stand-in knows no {command}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
