# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Import Ansible and the collection's plugins, and fork for every playbook: `python playbooks.py SOCKET`, see runner.py."""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import sys
import warnings
from pathlib import Path

from process import Request, of_ansible, serve

COLLECTION = "ansible_collections.rhpds.litellm_virtual_keys.plugins"


def run(request: Request) -> None:
    from ansible.cli.playbook import main

    main(request.arguments)


def import_what_playbooks_import() -> None:
    """Import Ansible, its plugins with the settings in their documentation, and its table of redirected names."""
    for name in ("ansible.cli.playbook", "ansible.executor.module_common", "ansible.executor.task_executor"):
        importlib.import_module(name)
    loader = importlib.import_module("ansible.plugins.loader")
    loader.init_plugin_loader()
    warnings.filterwarnings("ignore", "AnsibleCollectionFinder has already been configured")  # every run configures it again
    for kind in ("become", "connection", "shell", "callback", "inventory", "vars", "strategy", "action", "lookup"):
        list(getattr(loader, f"{kind}_loader").all(class_only=True))
    for kind in ("filter", "test"):
        list(getattr(loader, f"{kind}_loader").all())
    importlib.import_module("ansible_collections.ansible.builtin")
    for kind in ("action", "callback", "filter", "inventory", "lookup"):
        import_folder(f"{COLLECTION}.{kind}")


def import_folder(package: str) -> None:
    """Import all modules of a package of a collection. Ansible keeps no bytecode of them, and each task would compile them again."""
    with contextlib.suppress(ModuleNotFoundError):
        for folder in importlib.import_module(package).__path__:
            for file in sorted(Path(folder).glob("[!_]*.py")):
                importlib.import_module(f"{package}.{file.stem}")


if __name__ == "__main__":
    import_what_playbooks_import()
    own = of_ansible(os.environ)
    serve(sys.argv[1], lambda request: of_ansible(request.environment) == own, run)
    shutil.rmtree(Path(sys.argv[1]).parent, ignore_errors=True)
