# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The action `key_expiry_notices`: warn owners before their keys end. The module of that name documents it."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils.key_requests.errors import StoreError
from ..module_utils.litellm.errors import GatewayError
from ..plugin_utils.request_pass.notices import warn_owners
from ..plugin_utils.request_pass.options import NOTICES_SPEC, desk_for_notices

display = Display()


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    _supports_diff = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(argument_spec=NOTICES_SPEC)
        try:
            desk, client = desk_for_notices(options, check_mode=self._task.check_mode, warn=display.warning)
            try:
                report = warn_owners(desk, options["before"], options["ahead"], patience=options["wait"])
            finally:
                client.close()
        except (StoreError, GatewayError, ValueError) as error:
            raise AnsibleActionFail(str(error)) from None
        for warning in report.warnings:
            display.warning(warning)
        result.update(changed=bool(report.warned or report.ended), report=report.as_dict(), lines=report.lines())
        if report.failed and options["fail_on"] == "failures":
            result.update(failed=True, msg=" ".join(report.lines()))
        return result
