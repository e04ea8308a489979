# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""`/metrics`, for Prometheus. It is off for everybody but operators and whoever has PORTAL_METRICS_TOKEN."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated, Any

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import durations
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.errors import StoreError
from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from ..errors import Refused, answers
from ..identity import MEASURES, required_caller
from ..metrics import metrics_of
from ..rates import peer_of
from ..store import PortalDesk
from . import Portal

router = APIRouter(tags=["operators"])
MEDIA_TYPE = "text/plain; version=0.0.4"


class _PortalMetrics(Collector):
    """The metrics of one scrape. A store that does not answer is said, not raised."""

    def __init__(self, portal: PortalDesk) -> None:
        self._portal = portal

    def collect(self) -> Iterator[Metric]:
        portal, figures, health, report = self._portal, None, None, None
        with suppress(StoreError):
            health, report = portal.last_pass(), portal.last_report()
            figures = portal.figures()
        return metrics_of(figures, health, report, portal.settings.interval_seconds, durations.parse_time(portal.clock()))

    def describe(self) -> list[Metric]:
        return []


def may_measure(request: Request) -> None:
    """Raise Refused unless the call has the token for metrics, or is an operator's."""
    scheme, _blank, given = request.headers.get("authorization", "").partition(" ")
    token = request.app.state.portal.settings.metrics_token.get_secret_value()
    if scheme.lower() != "bearer" or not token:
        required_caller(request, MEASURES, "This is for operators, and for whoever has PORTAL_METRICS_TOKEN.")
        return
    rates, peer = request.app.state.rates, peer_of(request)
    if rates.is_used_up("failure", peer):
        raise Refused(429, "Too many wrong tokens came from here; try again later.")
    if not hmac.compare_digest(given.strip().encode("utf-8", "replace"), token.encode()):
        rates.allows("failure", peer)
        raise Refused(401, "The token is not valid.", {"WWW-Authenticate": "Bearer"})


_DOCUMENTED: dict[int | str, dict[str, Any]] = {**answers(401, 403, 429), 200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}


@router.get("/metrics", response_class=Response, responses=_DOCUMENTED)
def metrics(portal: Portal, _allowed: Annotated[None, Depends(may_measure)]) -> Response:
    """Return the portal's metrics in the text format of Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_PortalMetrics(portal))
    ProcessCollector(registry=registry)
    return Response(generate_latest(registry), media_type=MEDIA_TYPE)
