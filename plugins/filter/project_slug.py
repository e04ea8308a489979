# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: from a project's name to the part of an alias that stands for it."""

from __future__ import annotations

DOCUMENTATION = r"""
name: project_slug
short_description: A project's name as part of an alias
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - Turns a project's name into lower case letters from a to z, digits and single hyphens, as the playbook C(create_project_key) needs
    it for aliases and file names.
  - Different names can have the same slug, for example V(My Project) and V(my-project). A name without such letters and digits has an empty one.
options:
  _input:
    description: The project's name.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show the alias of a project's key
  ansible.builtin.debug:
    msg: "project-{{ 'My Project' | rhpds.litellm_virtual_keys.project_slug }}" # project-my-project
"""

RETURN = r"""
_value:
  description: The slug.
  type: str
"""

import re
from collections.abc import Callable
from typing import Any

_OTHER_SIGNS = re.compile("[^a-z0-9]+")


def project_slug(name: object) -> str:
    """Return `name` in lower case, with a hyphen for each run of signs other than a to z and digits, and none at the ends."""
    return _OTHER_SIGNS.sub("-", str(name).lower()).strip("-")


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"project_slug": project_slug}
