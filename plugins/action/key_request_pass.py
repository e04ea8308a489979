# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The action `key_request_pass`: one pass over the queue of requests, or a pass at every interval. The module of that name documents it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils.key_requests.insight import WANTED
from ..plugin_utils.request_pass.catalogue import CatalogueKeeper
from ..plugin_utils.request_pass.insight_keeper import InsightKeeper
from ..plugin_utils.request_pass.interval import ONCE, make_passes, seconds_of, touch
from ..plugin_utils.request_pass.options import PASS_SPEC, parts_of, pass_settings
from ..plugin_utils.request_pass.report import PassReport
from ..plugin_utils.request_pass.reporting import display, reported
from ..plugin_utils.request_pass.run import run_pass


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    _supports_diff = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        return {**result, **reported(self, PASS_SPEC, self._work)}

    def _work(self, options: Mapping[str, Any]) -> PassReport | None:
        check_mode = self._task.check_mode
        interval = seconds_of(options["interval"]) if options["interval"] not in (None, ONCE) and not check_mode else None
        settings = pass_settings(options)
        with parts_of(options, self._loader, check_mode=check_mode, warn=display.warning) as parts:
            if interval is None:
                return run_pass(parts, settings, patience=options["wait"])
            offers = None if isinstance(parts.chain, ValueError) else parts.chain.offers
            catalogue = CatalogueKeeper(parts.store, parts.gateway, offers, options["packages"] or {}, parts.clock)
            insights = InsightKeeper(parts.store, parts.chain, parts.gateway, parts.clock)

            def make() -> PassReport:
                catalogue.refresh()
                insights.refresh()
                return run_pass(parts, settings, patience=options["wait"])

            beat = partial(touch, options["heartbeat_file"])
            make_passes(make, interval, options["stop_file"], _show, mark=partial(parts.store.mark, WANTED), heartbeat=beat)
        return None


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
