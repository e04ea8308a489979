# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Run `ansible-test sanity` with this Python, on a machine that reaches a package index and nothing else.

ansible-test builds a virtual environment for each of its tests and puts pip into it with the script get-pip.py, which
it fetches from another host, unless its cache has a file of that name. This program writes that file: get-pip.py is only
pip's wheel and four lines that install it, and the wheel comes from the package index.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ansible.release import __version__ as ansible_version

# The pip that each ansible-core requires (ansible_test/_internal/python_requirements.py).
PIP = {"2.17": "23.1.2", "2.18": "24.2", "2.19": "24.2", "2.20": "25.2", "2.21": "25.2"}

# ansible-test calls it with options of `pip install`, and with --no-setuptools and --no-wheel, which only get-pip.py has.
GET_PIP = '''\
"""Stands in for get-pip.py {version}. Made by tests/tools/sanity.py of rhpds.litellm_virtual_keys."""
import base64, os, runpy, sys, tempfile

with tempfile.TemporaryDirectory() as folder:
    wheel = os.path.join(folder, {name!r})
    with open(wheel, "wb") as handle:
        handle.write(base64.b85decode({content!r}))
    sys.path.insert(0, wheel)
    sys.argv = ["pip", "install"] + [each for each in sys.argv[1:] if each not in ("--no-setuptools", "--no-wheel")]
    runpy.run_module("pip", run_name="__main__", alter_sys=True)
'''


def provide_get_pip() -> None:
    """Put the get-pip.py that this ansible-core requires into ansible-test's cache if it is missing."""
    version = PIP[".".join(ansible_version.split(".")[:2])]
    target = Path.home() / ".ansible" / "test" / "cache" / f"get_pip_{version.replace('.', '_')}.py"
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check", "--only-binary=:all:"]
        subprocess.run([*download, "-d", folder, f"pip=={version}"], check=True)
        (wheel,) = Path(folder).glob("pip-*.whl")
        content = base64.b85encode(wheel.read_bytes()).decode()
        script = Path(folder) / "get_pip.py"
        script.write_text(GET_PIP.format(version=version, name=wheel.name, content=content), encoding="utf-8")
        script.rename(target)


def main() -> None:
    provide_get_pip()
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    os.execvp("ansible-test", ["ansible-test", "sanity", "--local", "--color", "no", "--python", python, *sys.argv[1:]])


if __name__ == "__main__":
    main()
