# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Start, stop, inspect, back up and restore one gateway: a LiteLLM and its PostgreSQL, both under one directory.

    python3 gatewayctl DIRECTORY start|stop|restart|status [--only postgres|litellm] [--check]
    python3 gatewayctl DIRECTORY backup
    python3 gatewayctl DIRECTORY restore FILE

Where systemd runs the two services, its units use three commands of their own, and the role uses a fourth:

    python3 gatewayctl DIRECTORY init                                     (secrets and ports)
    python3 gatewayctl DIRECTORY prepare|run|wait --only postgres|litellm

The program prints one JSON object and exits with 0, or prints a sentence to standard error and exits with 1. Neither holds a
secret. It needs Python's standard library only.
"""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path

# Python runs a folder as a program without making it a package. Make it one, so that its files can import each other.
package = types.ModuleType("gatewayctl")
package.__path__ = [str(Path(__file__).parent)]
sys.modules["gatewayctl"] = package
sys.dont_write_bytecode = True  # the folder holds what the role copied and nothing else

if __name__ == "__main__":
    sys.exit(importlib.import_module("gatewayctl.commands").main(sys.argv[1:]))
