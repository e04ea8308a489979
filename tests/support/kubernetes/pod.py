# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The container of a Deployment as a process of this machine: what a kubelet does with its command, its variables, its files and its account.

There is no kubelet and no image here. Paths of volumes become folders, and the commands of the image the programs behind them.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import ANSIBLE_ENVIRONMENT, COLLECTION
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.kubernetes.cluster import Cluster
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.processes import descendants

PORTAL_PACKAGE = "ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal"
PROGRAMS = {
    "key-portal": (sys.executable, "-m", PORTAL_PACKAGE),
    "key-worker": (str(Path(sys.executable).with_name("ansible-playbook")), f"{COLLECTION}.process_requests"),
}
"""What the commands of the image run (container/bin)."""
IN_POD = Path(__file__).with_name("in_pod")
STOP_SECONDS = 30


class PodProcess:
    """One container. Its volumes and the files of its account are in `folder`, `more` are variables that this machine needs others of."""

    def __init__(self, kube: Cluster, namespace: str, deployment: str, folder: Path, more: Mapping[str, str]) -> None:
        self._kube, self.namespace, self.folder = kube, namespace, folder
        self.pod = kube.call("GET", f"/apis/apps/v1/namespaces/{namespace}/deployments/{deployment}")["spec"]["template"]["spec"]
        (self.container,) = self.pod["containers"]
        self.log = folder / "container.log"
        self._mounts = {mount["mountPath"]: folder / mount["mountPath"].strip("/") for mount in self.container["volumeMounts"]}
        self._paths = re.compile(rf"(?<![\w/])(?:{'|'.join(map(re.escape, self._mounts))})(?=/|$|\W)")
        self._write_volumes()
        self._write_account()
        self._environment = {**self._given(), **more}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def token_file(self) -> Path:
        return self.folder / "account" / "token"

    def start(self) -> None:
        """Start it. A worker logs what it shows; a portal says where it listens (`PortalProcess` waits for that)."""
        with open(self.log, "ab") as output:
            self._process = subprocess.Popen(
                [*PROGRAMS[self.container["command"][0]], *map(self._here, self.container.get("args", ()))],
                env=self._environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> int:
        """Do what the worker's hook `preStop` does but for its pause, and return the exit status."""
        assert self._process is not None
        _sh, _c, script, *arguments = map(self._here, self.container["lifecycle"]["preStop"]["exec"]["command"])
        subprocess.run(["sh", "-c", script.partition(";")[0], *arguments], check=True)
        return self._process.wait(STOP_SECONDS)

    def kill(self) -> None:
        """Kill it with all its processes, if it runs."""
        if self._process is None or self._process.poll() is not None:
            return
        for pid in (*descendants(self._process.pid), self._process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(STOP_SECONDS)

    def probe(self, name: str) -> bool:
        """Return whether a probe of the kind `exec` succeeds."""
        command = [self._here(word) for word in self.container[name]["exec"]["command"]]
        return subprocess.run([sys.executable if command[0] == "python3" else command[0], *command[1:]], capture_output=True, check=False).returncode == 0

    def _here(self, text: str) -> str:
        """Return a text with the folders of this machine in place of the container's."""
        return self._paths.sub(lambda match: str(self._mounts[match[0]]), text)

    def _given(self) -> dict[str, str]:
        """Return the variables of the container, those of its pod, and what Python and Ansible need here."""
        of_secrets = {
            name: base64.b64decode(value).decode()
            for source in self.container.get("envFrom", ())
            for name, value in self._object("secrets", source["secretRef"]["name"])["data"].items()
        }
        given = {each["name"]: self._here(each["value"]) for each in self.container["env"]}
        address = urlsplit(self._kube.server)
        here = {name: os.environ[name] for name in ("PATH", "ANSIBLE_COLLECTIONS_PATH", "PORTAL_WEB_PACKAGES", "LANG") if name in os.environ}
        of_pod = {
            "KUBERNETES_SERVICE_HOST": str(address.hostname),
            "KUBERNETES_SERVICE_PORT": str(address.port),
            "POD_SERVICE_ACCOUNT": str(self.token_file.parent),
            "PYTHONPATH": os.pathsep.join([str(IN_POD), *filter(None, [os.environ.get("PYTHONPATH")])]),
        }
        return {**here, **ANSIBLE_ENVIRONMENT, **of_secrets, **given, **of_pod}

    def _write_volumes(self) -> None:
        volumes = {volume["name"]: volume for volume in self.pod["volumes"]}
        for mount in self.container["volumeMounts"]:
            folder, volume = self._mounts[mount["mountPath"]], volumes[mount["name"]]
            folder.mkdir(parents=True)
            if "secret" in volume:
                for name, value in self._object("secrets", volume["secret"]["secretName"])["data"].items():
                    (folder / name).write_bytes(base64.b64decode(value))
            elif "configMap" in volume:
                for name, text in (self._object("configmaps", volume["configMap"]["name"]).get("data") or {}).items():
                    (folder / name).write_text(text, encoding="utf-8")

    def _write_account(self) -> None:
        folder = self.token_file.parent
        folder.mkdir()
        (folder / "ca.crt").write_bytes(self._kube.ca_file.read_bytes())
        self.token_file.write_text(self._kube.existing_account(self.namespace, self.pod["serviceAccountName"]).token, encoding="ascii")

    def _object(self, kind: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self._kube.call("GET", f"/api/v1/namespaces/{self.namespace}/{kind}/{name}")
        return found
