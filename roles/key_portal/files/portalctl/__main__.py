# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Start, stop and inspect one portal: its web service and the worker that makes passes over its requests.

    python3 portalctl DIRECTORY start|stop|restart|status [--only portal|worker] [--check]

The program prints one JSON object and exits with 0, or prints a sentence to standard error and exits with 1. Neither holds a
secret. It needs Python's standard library only. How a program is started and stopped is that of `gatewayctl`: the files are the same.
"""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path

# Python runs a folder as a program without making it a package. Make it one, so that its files can import each other.
package = types.ModuleType("portalctl")
package.__path__ = [str(Path(__file__).parent)]
sys.modules["portalctl"] = package
sys.dont_write_bytecode = True  # the folder holds what the role copied and nothing else

if __name__ == "__main__":
    sys.exit(importlib.import_module("portalctl.commands").main(sys.argv[1:]))
