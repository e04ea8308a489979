# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The portal runs from a copy of itself and of what copied_beside.txt names, and imports neither Ansible nor what holds the gateway's key."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROLE_FILES = Path(__file__).resolve().parents[4] / "roles" / "key_portal" / "files"
COLLECTION = ROLE_FILES.parents[2]
PROGRAM = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "ansible":
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocked())
from portal.app import create_app
from portal.settings import load_settings
import ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.kubernetes_secrets as store

app = create_app(*load_settings())
assert app.openapi()["paths"]
assert store.KUBERNETES_ERROR is None
ours = [name.removeprefix("ansible_collections.rhpds.litellm_virtual_keys.plugins.") for name in sys.modules if "litellm_virtual_keys.plugins." in name]
print("\\n".join(sorted(ours)))
"""


def test_it_runs_from_a_copy_without_ansible(tmp_path: Path) -> None:
    shutil.copytree(ROLE_FILES / "portal", tmp_path / "portal")
    beside = tmp_path / "ansible_collections" / "rhpds" / "litellm_virtual_keys"
    for line in (ROLE_FILES / "copied_beside.txt").read_text(encoding="utf-8").splitlines():
        target = beside / line
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (COLLECTION / line).is_dir() else shutil.copy)(COLLECTION / line, target)
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path), "LITELLM_KEY_REQUESTS_DIR": str(tmp_path / "requests")}
    ran = subprocess.run([sys.executable, "-c", PROGRAM], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    imported = ran.stdout.split()
    wings = ("module_utils.common", "module_utils.key_requests", "module_utils.delivery")
    assert [name for name in imported if "." in name and not name.startswith(wings)] == [
        "module_utils.litellm",
        "module_utils.litellm.environment",
        "plugin_utils.requestor_config",
    ]
