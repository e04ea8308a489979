# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""How uv, which does not read pip's settings, is given them. Pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

VARIABLES = {
    "index-url": ("UV_DEFAULT_INDEX", ""),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "cert": ("SSL_CERT_FILE", ""),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "proxy": ("ALL_PROXY", ""),
}
"""The variable of uv that means the same, by pip's setting, with what separates its values; empty where there is only one."""
SECTIONS = ("global", "install", ":env:")
"""Where pip's settings for an installation come from; a later one wins."""

_LINE = re.compile(rf"({'|'.join(SECTIONS)})[.]({'|'.join(VARIABLES)})=(.+)")


def uv_environment(pip_config: Iterable[str]) -> dict[str, str]:
    """Return the environment variables for uv. `pip_config` holds the lines that `pip config list` prints: names and Python literals."""
    found: dict[tuple[str, str], str] = {}
    for line in filter(None, map(_LINE.fullmatch, pip_config)):
        try:
            found[line[1], line[2]] = str(ast.literal_eval(line[3]))
        except (SyntaxError, ValueError):
            continue  # not a line of pip's
    environment: dict[str, str] = {}
    for (_section, setting), value in sorted(found.items(), key=lambda item: SECTIONS.index(item[0][0])):
        variable, separator = VARIABLES[setting]
        environment[variable] = separator.join(value.split()) if separator else value.strip()
    return environment
