# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""A process that dies at a step, with SIGKILL."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable
from typing import Any


class Death:
    """Ends this process when the step of the number `die_at`, from 1 on, is met."""

    def __init__(self, die_at: int) -> None:
        self._die_at, self._steps = die_at, itertools.count(1)

    def meet(self) -> None:
        """Take a step."""
        if next(self._steps) == self._die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def wait_at(self, *functions: tuple[Any, str]) -> None:
        """Make the moments before and after each call of these functions a step. A function is given by its owner and its name."""
        for owner, name in functions:
            setattr(owner, name, self._deadly(getattr(owner, name)))

    def _deadly(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self.meet()
            result = function(*arguments, **named)
            self.meet()
            return result

        return call
