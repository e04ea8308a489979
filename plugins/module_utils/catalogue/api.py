# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""LiteLLM's catalogue as entries of this collection: one call for each list, and the calls that write an entry.

LiteLLM 1.102 behaves as follows. A change merges, and null removes prices only. Creating an id that exists is HTTP 500
("Failed to add model to db"), and so is creating a credential that exists ("Unique constraint failed"). A model that cannot
be served is kept in the database all the same, out of sight ("not live"). Other workers learn of a change within 30 seconds.
When a credential changes, its notes are replaced in the database but merged in memory, so all of them are always written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ..litellm import errors
from ..litellm.client import Client
from ..litellm.models import rows_of, served_deployments
from ..litellm.notes import NOTES_NAME
from .entry import Kind, LiveEntry, live_credential, live_model
from .plan import CatalogueAction, CatalogueStep


class NotServed(errors.GatewayError):
    """LiteLLM cannot serve the model with these parameters."""

    code = "not_served"


class StoreOff(errors.GatewayError):
    """The gateway does not accept models at run time."""

    code = "store_model_in_db_off"


class CatalogueApi:
    """The models and credentials of one gateway."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def models(self) -> list[LiveEntry]:
        """Return every model that the gateway serves, from the database and from its configuration file."""
        return served_deployments(self.client, live_model)

    def credentials(self) -> list[LiveEntry]:
        """Return every credential. LiteLLM refuses this to everybody but admins."""
        return rows_of(self.client, self.client.get("/credentials"), "credentials", live_credential, "GET /credentials")

    def providers(self) -> list[str] | None:
        """Return the prefixes of the providers that this LiteLLM knows; None if its release is too old to list them."""
        try:
            answer = self.client.get("/public/providers")
        except errors.NotFound:
            return None
        return [str(name) for name in answer] if isinstance(answer, list) else None

    def write(self, step: CatalogueStep) -> None:
        """Carry out one step. Each call may arrive twice. Raises GatewayError."""
        try:
            if step.kind is Kind.CREDENTIAL:
                self._write_credential(step)
            else:
                self._write_model(step)
        except errors.EnterpriseOnly as error:
            way = "instead of a model that belongs to a team, give the team the model in its list of models, or through access_groups"
            raise error.with_free_way(way) from None
        except errors.ServerFailed as error:
            if "STORE_MODEL_IN_DB" not in error.detail:
                raise
            raise StoreOff(
                f"the gateway at {self.client.connection.base} takes no models at run time; set STORE_MODEL_IN_DB to True in its environment.",
                status=error.status,
            ) from None

    def _write_model(self, step: CatalogueStep) -> None:
        if step.action in (CatalogueAction.DELETE, CatalogueAction.REPLACE):
            self._delete_model(step.id)
        if step.action is CatalogueAction.DELETE:
            return
        body = _model_body(step)
        if step.action is CatalogueAction.UPDATE:
            self._update_model(step, body)
            return
        try:
            self.client.post("/model/new", body)
        except errors.ServerFailed as error:
            if "failed to add model" in error.detail.lower():  # it exists: made by another run or worker, or not served
                self._update_model(step, body)
                return
            if "not live" not in error.detail:
                raise
            self._delete_model(step.id)  # otherwise it would stay in the database, out of sight
            raise NotServed(
                f"LiteLLM cannot serve the model {step.label}, so it was not added; check its provider and parameters, and see the gateway's log.",
                status=error.status,
            ) from None
        if step.blocked:
            self._update_model(step, {"blocked": True})

    def _update_model(self, step: CatalogueStep, body: Mapping[str, Any]) -> None:
        changes = {**body, **({} if step.blocked is None else {"blocked": step.blocked})}
        try:
            self.client.patch(f"/model/{quote(step.id, safe='')}/update", changes)
        except errors.ServerFailed as error:
            if "not live" not in error.detail:
                raise
            raise NotServed(
                f"LiteLLM has stored the change of the model {step.label} and cannot serve it so; check its provider and parameters, and run again.",
                status=error.status,
            ) from None

    def _delete_model(self, model: str) -> None:
        try:
            self.client.post("/model/delete", {"id": model})
        except errors.Rejected as error:
            if "not found in db" not in error.detail:
                raise  # otherwise it is already gone: the call arrived twice, or somebody else deleted it

    def _write_credential(self, step: CatalogueStep) -> None:
        path = f"/credentials/{quote(step.name, safe='')}"
        if step.action in (CatalogueAction.DELETE, CatalogueAction.REPLACE):
            try:
                self.client.delete(path)
            except errors.NotFound:
                pass  # already gone, or from the configuration file: the list shows that afterwards
        if step.action is CatalogueAction.DELETE:
            return
        body = {
            "credential_name": step.name,
            "credential_values": {**step.params, **step.secrets},
            "credential_info": {**(step.live.info if step.live else {}), **step.info, NOTES_NAME: step.notes.to_info() if step.notes else None},
        }
        if step.action is not CatalogueAction.UPDATE:
            try:
                self.client.post("/credentials", body)
                return
            except errors.ServerFailed as error:
                if "unique constraint" not in error.detail.lower():
                    raise
        try:
            self.client.patch(path, body)
        except errors.NotFound:
            raise errors.Rejected(
                f"the credential {step.name} is not in the gateway's database; if its configuration file has it, change it there, else run again."
            ) from None


def _model_body(step: CatalogueStep) -> dict[str, Any]:
    """Return the body of a call that creates or changes a model."""
    body: dict[str, Any] = {"model_info": {"id": step.id, **step.info}}
    if step.notes is not None:
        body["model_info"][NOTES_NAME] = step.notes.to_info()
    if step.params or step.secrets:
        body["litellm_params"] = {**step.params, **step.secrets}
    if step.action is not CatalogueAction.UPDATE:
        body["model_name"] = step.name
    return body
