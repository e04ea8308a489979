# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""How uv, which does not read pip's settings, is given them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

VARIABLES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
    "trusted-host": "UV_INSECURE_HOST",
    "proxy": "ALL_PROXY",
}
"""Variables of uv, by the setting of pip that means the same."""

_SETTING = re.compile(rf"[.]({'|'.join(VARIABLES)})='(.*)'$")


def uv_environment(pip_config: Iterable[str]) -> dict[str, str]:
    """Return the environment variables for uv. `pip_config` holds the lines that `pip config list` prints."""
    settings = filter(None, map(_SETTING.search, pip_config))
    return {VARIABLES[setting[1]]: setting[2] for setting in settings}
