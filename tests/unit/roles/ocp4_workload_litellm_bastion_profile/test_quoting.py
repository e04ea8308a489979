# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""A shell that reads the profile gets the exact values, whatever they are, and runs nothing in them."""

from __future__ import annotations

import inspect
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import lookup_loader
from ansible.template import Templar
from ansible.utils.unsafe_proxy import wrap_var
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

ROLE = Path(__file__).parents[4] / "roles" / "ocp4_workload_litellm_bastion_profile"
NAME = ROLE.name
SHELLS = [shell for shell in ("sh", "bash", "dash", "ksh", "zsh", "busybox sh") if shutil.which(shell.partition(" ")[0])]
VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1) | st.text(
    "'\"\\$`(){}[]!#&|;<>*?~% \t\r\n=-,:@a1ü€\U0001f600", min_size=1, max_size=20
)


def render(**values: Any) -> str:
    """Render the file with the role's own template and variables."""
    loader = DataLoader()
    # From ansible-core 2.19 on, a template must come from a trusted source, such as a role.
    trust = {"trusted_as_template": True} if "trusted_as_template" in inspect.signature(loader.load_from_file).parameters else {}
    variables = {}
    for part in ("vars", "defaults"):
        variables.update(loader.load_from_file(str(ROLE / part / "main.yml"), **trust))
    variables.update({f"{NAME}_{name}": wrap_var(value) for name, value in values.items()})
    template = lookup_loader.get("template", loader=loader, templar=Templar(loader, variables))
    text: str = template.run([str(ROLE / "templates" / "profile.sh.j2")], variables=variables)[0]
    return text


def read_by(shell: str, profile: Path) -> list[str]:
    """Return the three variables as a program that the shell starts sees them."""
    show = r"""set -eu; . "$1"; exec sh -c 'printf "%s\0" "$LITELLM_API_URL" "$LITELLM_API_KEY" "$LITELLM_MODELS"'"""
    done = subprocess.run(
        [*shell.split(), "-c", show, "x", str(profile)], cwd=profile.parent, env={"PATH": "/usr/bin:/bin"}, stdout=subprocess.PIPE, check=True
    )
    return done.stdout.decode().split("\0")[:-1]


def test_several_shells_are_installed() -> None:
    assert {"sh", "bash"} <= set(SHELLS)


@pytest.mark.parametrize("shell", SHELLS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@example(url="'", key="$(touch ran)", models=["`touch ran`", "\n"])
@example(url="a\n'\n", key="{{ nobody }} {% raw %}", models=["\\", "ü \U0001f600"])
@example(url="['a']", key="{'a': 1}", models=["True"])
@example(url="~", key="[1,2]", models=["None"])
@given(url=VALUES, key=VALUES, models=st.lists(VALUES, min_size=1, max_size=3))
def test_shells_read_what_was_given(tmp_path: Path, shell: str, url: str, key: str, models: list[str]) -> None:
    profile = tmp_path / "profile.sh"
    profile.write_bytes(render(url=url, key=key, models=models).encode())
    assert read_by(shell, profile) == [url, key, ", ".join(models)]
    assert [path.name for path in tmp_path.iterdir()] == ["profile.sh"]  # nothing was run
