# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The wings that the portal uses work where Ansible is not installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COLLECTION = "ansible_collections.rhpds.litellm_virtual_keys"
PLUGINS = Path(__file__).parents[4] / "plugins"
WINGS = ("common", "delivery", "key_requests")
NEEDS_ANSIBLE = ("common/options.py", "key_requests/options.py")

WITHOUT_ANSIBLE = """
import importlib, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name == "ansible" or name.startswith("ansible."):
            raise ModuleNotFoundError(f"{name} is refused in this test", name=name)

assert not [name for name in sys.modules if name.partition(".")[0] == "ansible"]
sys.meta_path.insert(0, Refuse())
"""

LIST_OTHER_WINGS = f"""
prefix = "{COLLECTION}.plugins.module_utils."
for name in sorted(sys.modules):
    if name.startswith(prefix) and name.removeprefix(prefix).partition(".")[0] not in {WINGS!r}:
        print(name)
"""

AT_THE_DESK = """
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common.email_address import parse_mailbox
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery.mail import Notice, Sender, compose
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.desk import Desk, Wish
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore

desk = Desk(DirectoryStore(sys.argv[1]))
desk.ask(Wish("ada@example.com", models=("gpt-4",)))
record = desk.approve(Wish("ada@example.com", models=("gpt-4",)), by="grace").after
notice = Notice(kind="approval", to=record.email, id=record.id, note="Your key is in the lab.")
mail = compose(notice, Sender(parse_mailbox("keys@example.com", "sender")))
print(record.state, mail.recipient)
"""


def without_ansible(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = f"import sys; sys.path[:0] = {sys.path!r}\n"
    return subprocess.run([sys.executable, "-c", path + WITHOUT_ANSIBLE + program, *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("wing", WINGS)
def test_every_file_can_be_imported(wing: str) -> None:
    folder = PLUGINS / "module_utils" / wing
    names = [path.stem for path in sorted(folder.glob("*.py")) if f"{wing}/{path.name}" not in NEEDS_ANSIBLE and path.stem != "__init__"]
    assert names
    imports = "".join(f"importlib.import_module('{COLLECTION}.plugins.module_utils.{wing}.{name}')\n" for name in names)
    ran = without_ansible(imports + LIST_OTHER_WINGS)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == [], f"{wing} imports files of other wings than {', '.join(WINGS)}"


@pytest.mark.parametrize("path", NEEDS_ANSIBLE)
def test_the_exceptions_are_still_some(path: str) -> None:
    ran = without_ansible(f"import {COLLECTION}.plugins.module_utils.{path.removesuffix('.py').replace('/', '.')}")
    assert "is refused in this test" in ran.stderr, f"{path} works without Ansible: take it out of NEEDS_ANSIBLE"


def test_a_request_is_approved_and_a_mail_composed(tmp_path: Path) -> None:
    ran = without_ansible(AT_THE_DESK, str(tmp_path / "requests"))
    assert ran.stdout == "approved ada@example.com\n", ran.stderr
