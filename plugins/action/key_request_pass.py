# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The action `key_request_pass`: one pass over the queue of requests, or a pass at every interval. The module of that name documents it."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils.key_requests.errors import StoreError
from ..plugin_utils.request_pass.interval import make_passes, seconds_of
from ..plugin_utils.request_pass.options import PASS_SPEC, desk_of, pass_settings
from ..plugin_utils.request_pass.report import PassReport
from ..plugin_utils.request_pass.run import run_pass

display = Display()


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    _supports_diff = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(argument_spec=PASS_SPEC)
        try:
            interval = seconds_of(options["interval"]) if options["interval"] and not self._task.check_mode else None
            settings = pass_settings(options)
            desk, client = desk_of(options, self._loader, check_mode=self._task.check_mode, warn=display.warning)
            try:
                if interval is not None:
                    make_passes(lambda: run_pass(desk, settings, patience=options["wait"]), interval, options["stop_file"], _show)
                    return {**result, "changed": True}
                report = run_pass(desk, settings, patience=options["wait"])
            finally:
                client.close()
        except (StoreError, ValueError) as error:
            raise AnsibleActionFail(str(error)) from None
        for warning in report.warnings:
            display.warning(warning)
        result.update(changed=report.changed, report=report.as_dict(), lines=report.lines())
        if report.errors or (report.failed and options["fail_on"] == "failures"):
            result.update(failed=True, msg=" ".join(report.lines()))
        return result


def _show(report: PassReport | Exception) -> None:
    """Show the result of a pass among many."""
    if isinstance(report, PassReport):
        for warning in report.warnings:
            display.warning(warning)
        if report.due or report.failed:
            for line in report.lines():
                display.display(f"{report.started_at} {line}")
    else:
        display.error(f"a pass failed, and the next one goes on: {report}")
