# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The action `key_expiry_notices`: warn owners before their keys end. The module of that name documents it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase

from ..plugin_utils.request_pass.notices import NoticesReport, warn_owners
from ..plugin_utils.request_pass.options import NOTICES_SPEC, delivery_settings, parts_for_notices
from ..plugin_utils.request_pass.reporting import display, reported


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    _supports_diff = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        return {**result, **reported(self, NOTICES_SPEC, self._work)}

    def _work(self, options: Mapping[str, Any]) -> NoticesReport:
        with parts_for_notices(options, check_mode=self._task.check_mode, warn=display.warning) as parts:
            return warn_owners(parts, options["before"], options["ahead"], delivery_settings(options), patience=options["wait"])
