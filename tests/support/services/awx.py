# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""A server that answers as the API of AWX does, stores its objects, and records every call.

AWX itself runs only in containers. This server stands in for the parts that the modules of awx.awx use: lists with filters and
pages, creation with AWX's own checks, changes, associations, surveys (awx_surveys.py), approval nodes, roles, project updates, and
secrets shown as ``$encrypted$``. It does what AWX 24.6.1 did when the catalogue was tried on it: a default does not answer a required question
of a survey for a schedule, a field that is not set is an empty variable of the job, an organization has no credential for Galaxy
until it gets one, and takes what belongs to it along when it is deleted.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jinja2
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.awx_surveys import faults_of_answers, faults_of_questions, job_variables

API = "/api/v2"
AAP = "Red Hat Ansible Automation Platform"
TOKEN = "awx-token-4711"
USER, PASSWORD = "ada", "secret"
HIDDEN = "$encrypted$"
PAGE = 3
"""Number of objects on a page; few, so that tests read second pages."""

TYPES = {
    "organizations": "organization",
    "teams": "team",
    "credential_types": "credential_type",
    "credentials": "credential",
    "execution_environments": "execution_environment",
    "notification_templates": "notification_template",
    "projects": "project",
    "inventories": "inventory",
    "inventory_sources": "inventory_source",
    "job_templates": "job_template",
    "workflow_job_templates": "workflow_job_template",
    "workflow_job_template_nodes": "workflow_job_template_node",
    "workflow_approval_templates": "workflow_approval_template",
    "schedules": "schedule",
    "labels": "label",
    "applications": "o_auth2_application",
}
TAKEN_ALONG = ("teams", "credentials", "execution_environments", "notification_templates", "labels", "applications")
"""What AWX deletes with an organization. Projects, inventories and templates lose their organization instead."""
LEFT_ALONE = ("inventories", "projects", "job_templates", "workflow_job_templates")
COUNTED = ("inventories", "teams", "job_templates", "projects")
"""What `related_field_counts` of an organization counts, besides users, admins and hosts."""
UNIFIED = ("projects", "inventory_sources", "job_templates", "workflow_job_templates")
"""The collections whose objects can be nodes or be scheduled."""
REFERENCES = {
    "organization": "organizations",
    "credential_type": "credential_types",
    "inventory": "inventories",
    "project": "projects",
    "source_project": "projects",
    "execution_environment": "execution_environments",
    "default_environment": "execution_environments",
    "workflow_job_template": "workflow_job_templates",
}
REQUIRED = {
    "teams": ("name", "organization"),
    "credential_types": ("name", "kind"),
    "credentials": ("name", "credential_type"),
    "execution_environments": ("name", "image"),
    "notification_templates": ("name", "organization", "notification_type", "notification_configuration"),
    "inventories": ("name", "organization"),
    "inventory_sources": ("name", "inventory", "source"),
    "job_templates": ("name", "project", "playbook"),
    "workflow_job_template_nodes": ("workflow_job_template",),
    "schedules": ("name", "unified_job_template", "rrule"),
}
ROLES = {
    "organizations": ("admin", "execute", "member"),
    "projects": ("admin", "use", "update"),
    "inventories": ("admin", "use", "update", "adhoc"),
    "job_templates": ("admin", "execute"),
    "workflow_job_templates": ("admin", "execute", "approval"),
    "credentials": ("admin", "use"),
}
NOTIFICATION_SECRETS = {"email": ("password",), "slack": ("token",), "webhook": ("password",)}
NOT_NULL = ("kind", "name", "description", "source_path", "scm_branch", "scm_url")


class Refused(Exception):
    """A refusal with status 400, as Django REST framework words it."""


@dataclass(frozen=True)
class Call:
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    authorization: str

    @property
    def writes(self) -> bool:
        return self.method != "GET"


@dataclass
class Awx:
    """The objects of an AWX and its answers."""

    version: str = "24.6.1"
    product: str = "AWX"
    playbooks: list[str] = field(default_factory=list)
    """The playbooks that a project update finds in the repository."""
    repository_error: str = ""
    """The reason for which project updates fail; empty if they work."""
    api: str = API
    """The path of the API, which is /api/controller/v2 from AAP 2.5 on."""
    url: str = ""
    calls: list[Call] = field(default_factory=list)
    objects: dict[str, dict[int, dict[str, Any]]] = field(default_factory=lambda: {name: {} for name in TYPES})
    linked: dict[tuple[str, int, str], list[int]] = field(default_factory=dict)
    """The associated objects, in order, by collection, object and association."""
    surveys: dict[tuple[str, int], Any] = field(default_factory=dict)
    granted: dict[tuple[int, str], list[int]] = field(default_factory=dict)
    """The actors that have a role, by role and kind of actor."""
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(10))

    def __post_init__(self) -> None:
        fields = [{"id": name} for name in ("host", "verify_ssl", "ssl_ca_cert")] + [{"id": "bearer_token", "secret": True}]
        self.add("credential_types", {"name": "OpenShift or Kubernetes API Bearer Token", "kind": "kubernetes", "inputs": {"fields": fields}})
        galaxy = self.add("credential_types", {"name": "Ansible Galaxy/Automation Hub API Token", "kind": "galaxy", "inputs": {"fields": [{"id": "url"}]}})
        self.add(
            "credentials", {"name": "Ansible Galaxy", "credential_type": galaxy["id"], "organization": None, "inputs": {"url": "https://galaxy.ansible.com/"}}
        )

    # --------------------------------------------------------------------------------------------------------- questions
    def named(self, collection: str, name: str) -> dict[str, Any]:
        (found,) = [each for each in self.objects[collection].values() if each["name"] == name]
        return found

    def names(self, collection: str) -> set[str]:
        return {each["name"] for each in self.objects[collection].values()}

    def environment_of(self, credential: str) -> dict[str, str]:
        """Return the variables that a job with this credential has: an empty one for each field that is not set."""
        thing = self.named("credentials", credential)
        kind = self.objects["credential_types"][thing["credential_type"]]
        values = {each["id"]: thing["inputs"].get(each["id"], "") for each in kind["inputs"]["fields"]}
        return {name: jinja2.Template(text).render(values) for name, text in kind["injectors"]["env"].items()}

    def questions_of(self, template: int) -> list[dict[str, Any]]:
        """Return the questions of the survey of a template, of which there may be none."""
        return [question for name in UNIFIED for question in self.surveys.get((name, template), {}).get("spec", [])]

    def launched(self, template: str, answers: Mapping[str, Any], **workflow: Any) -> dict[str, Any]:
        """Return the extra variables of a job of a template. Raises Refused for answers that the survey does not take.

        `workflow` holds what a workflow hands to its jobs, which AWX does not check: the answers to its own survey and statistics.
        """
        thing = self.named("job_templates", template)
        questions = self.questions_of(thing["id"]) if thing["survey_enabled"] else []
        if refusal := faults_of_answers(questions, answers, needed=not workflow):
            raise Refused(refusal)
        return job_variables(json.loads(thing["extra_vars"]), questions, {**answers, **workflow})

    @property
    def writes(self) -> list[Call]:
        return [call for call in self.calls if call.writes]

    # ------------------------------------------------------------------------------------------------------------ storing
    def add(self, collection: str, body: dict[str, Any]) -> dict[str, Any]:
        number = next(self.ids)
        thing = {**body, "id": number, "type": TYPES[collection], "url": f"{self.api}/{collection}/{number}/"}
        self.objects[collection][number] = thing
        return thing

    def check(self, collection: str, body: dict[str, Any], present: dict[str, Any] | None = None) -> None:
        """Raise Refused if AWX would refuse this object."""
        for name in REQUIRED.get(collection, ()) if present is None else ():
            if body.get(name) in (None, ""):
                raise Refused({name: ["This field is required."]})
        for name, value in body.items():
            if value is None and name in NOT_NULL:
                raise Refused({name: ["This field may not be null."]})
            if name in REFERENCES and value is not None and value not in self.objects[REFERENCES[name]]:
                raise Refused({name: [f'Invalid pk "{value}" - object does not exist.']})
        merged = {**(present or {}), **body}
        if collection == "credentials":
            kind = self.objects["credential_types"][merged["credential_type"]]
            known = {each["id"] for each in kind["inputs"]["fields"]}
            if unknown := set(merged.get("inputs", {})) - known:
                raise Refused({"inputs": [f"Additional properties are not allowed ({', '.join(sorted(unknown))})"]})
        if collection == "job_templates":
            project = self.objects["projects"][merged["project"]]
            if merged["playbook"] not in project["playbook_files"]:
                raise Refused({"playbook": ["Playbook not found for project."]})
        if collection == "schedules":
            self.check_schedule(merged)

    def check_schedule(self, schedule: dict[str, Any]) -> None:
        """Raise Refused for a missing template, or for a required question of its survey without an answer."""
        template = schedule["unified_job_template"]
        if not any(template in self.objects[name] for name in UNIFIED):
            raise Refused({"unified_job_template": ["object does not exist."]})
        if refusal := faults_of_answers(self.questions_of(template), schedule.get("extra_data") or {}):
            raise Refused(refusal)

    def create(self, collection: str, body: dict[str, Any]) -> dict[str, Any]:
        self.check(collection, body)
        thing = self.add(collection, body)
        if collection == "projects":
            thing.update(scm_revision="", playbook_files=[])
            self.update_project(thing)
        return thing

    def update_project(self, project: dict[str, Any]) -> None:
        """Fetch the repository. Collections are installed only if the organization has a credential for Galaxy."""
        if self.repository_error:
            project.update(status="failed")
            return
        galaxy = self.linked.get(("organizations", project.get("organization") or 0, "galaxy_credentials"), [])
        project.update(status="successful", scm_revision="f" * 40, playbook_files=list(self.playbooks), has_collections=bool(galaxy))

    def delete(self, collection: str, number: int) -> None:
        """Delete an object and whatever AWX deletes with it."""
        del self.objects[collection][number]
        parts = {
            "inventories": [("inventory_sources", "inventory")],
            "workflow_job_templates": [("workflow_job_template_nodes", "workflow_job_template")],
        }
        if collection == "organizations":
            parts[collection] = [(name, "organization") for name in TAKEN_ALONG]
            for each in (each for name in LEFT_ALONE for each in self.objects[name].values() if each.get("organization") == number):
                each["organization"] = None
        if collection in UNIFIED:
            parts.setdefault(collection, []).append(("schedules", "unified_job_template"))
        if collection == "workflow_job_template_nodes":
            return
        for child, reference in parts.get(collection, []):
            for each in [each for each, thing in self.objects[child].items() if thing.get(reference) == number]:
                self.delete(child, each)

    # ------------------------------------------------------------------------------------------------------------ showing
    def shown(self, collection: str, thing: dict[str, Any], created: bool = False) -> dict[str, Any]:
        """Return an object as the API shows it: with its links, and its secrets hidden."""
        number, url = thing["id"], thing["url"]
        shown: dict[str, Any] = {"description": "", **thing, "related": {}, "summary_fields": {}}
        if collection == "credentials":
            shown["inputs"] = self.hidden(thing.get("inputs", {}), self.secrets_of(thing))
        if collection == "notification_templates":
            secrets = NOTIFICATION_SECRETS.get(thing["notification_type"], ())
            shown["notification_configuration"] = self.hidden(thing["notification_configuration"], secrets)
        if collection in ("job_templates", "workflow_job_templates"):
            shown["related"]["survey_spec"] = f"{url}survey_spec/"
        if collection == "projects":
            shown["related"]["update"] = f"{url}update/"
            shown["summary_fields"]["last_update"] = {"id": number, "status": thing.get("status")}
            if created:
                shown["scm_revision"] = ""
                shown["summary_fields"]["current_update"] = {"id": number, "status": "pending"}
        if collection == "workflow_job_template_nodes" and (template := thing.get("unified_job_template")) is not None:
            shown["related"]["unified_job_template"] = next(f"{self.api}/{name}/{template}/" for name in self.objects if template in self.objects[name])
        if collection in ROLES:
            shown["summary_fields"]["object_roles"] = {
                f"{name}_role": {"id": number * 100 + index, "name": name} for index, name in enumerate(ROLES[collection])
            }
        if collection == "organizations":
            shown["summary_fields"]["related_field_counts"] = {
                name: sum(each.get("organization") == number for each in self.objects[name].values()) for name in COUNTED
            } | {"users": 0, "admins": 0}
        return shown

    def secrets_of(self, credential: dict[str, Any]) -> list[str]:
        kind = self.objects["credential_types"][credential["credential_type"]]
        return [each["id"] for each in kind["inputs"]["fields"] if each.get("secret")]

    @staticmethod
    def hidden(values: dict[str, Any], secrets: Any) -> dict[str, Any]:
        return {name: HIDDEN if name in secrets and value else value for name, value in values.items()}

    def select(self, collection: str, query: dict[str, str]) -> list[dict[str, Any]]:
        if collection == "unified_job_templates":
            things = [self.shown(name, thing) for name in UNIFIED for thing in self.objects[name].values()]
            for thing in things:
                if thing["type"] == "inventory_source":
                    thing["organization"] = self.objects["inventories"][thing["inventory"]]["organization"]
        else:
            things = [self.shown(collection, thing) for thing in self.objects[collection].values()]
        filters = {name: value for name, value in query.items() if name not in ("page", "page_size", "order_by")}
        either = {name.removeprefix("or__"): value for name, value in filters.items() if name.startswith("or__")}
        every = {name: value for name, value in filters.items() if not name.startswith("or__")}
        for thing in things[:1]:
            if unknown := [name for name in every if name not in thing and name.partition("__")[0] not in REFERENCES and name != "identifier"]:
                raise Refused({"detail": f"{TYPES.get(collection, collection)} has no field named '{unknown[0]}'"})
        return [
            thing
            for thing in things
            if all(str(self.value_of(thing, name)) == value for name, value in every.items())
            and (not either or any(str(thing.get(name)) == value for name, value in either.items()))
        ]

    def value_of(self, thing: dict[str, Any], name: str) -> Any:
        """Return a field of an object, or with `__` one of the object that it refers to."""
        reference, _dots, field_name = name.partition("__")
        return self.objects[REFERENCES[reference]].get(thing.get(reference) or 0, {}).get(field_name) if field_name else thing.get(name)

    # ------------------------------------------------------------------------------------------------------------ answering
    def is_kept_by_the_platform(self, call: Call, parts: list[str]) -> bool:
        """Return whether this call would change an organization or a team, which AAP 2.5 and later keep at the platform."""
        of_platform = self.product == AAP and tuple(map(int, self.version.split(".")[:2])) >= (4, 6)
        return of_platform and call.writes and parts[0] in ("organizations", "teams") and len(parts) < 3

    def answer(self, call: Call) -> tuple[int, Any]:
        if not call.path.startswith(f"{self.api}/"):
            return 404, {"detail": "The requested resource could not be found."}
        parts = call.path.removeprefix(f"{self.api}/").strip("/").split("/")
        if parts == ["ping"]:
            return 200, {"ha": False, "version": self.version, "instances": [], "instance_groups": []}
        basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if call.authorization not in (f"Bearer {TOKEN}", f"Basic {basic}"):
            return 401, {"detail": "Authentication credentials were not provided."}
        if self.is_kept_by_the_platform(call, parts):
            return 403, {"detail": "Creation of this resource is not allowed. Create this resource via the platform ingress."}
        match parts:
            case ["project_updates", number]:
                project = self.objects["projects"][int(number)]
                seen = {name: project[name] for name in ("id", "status", "scm_revision")}
                return 200, {**seen, "failed": project["status"] == "failed", "finished": "now"}
            case ["project_updates", _number, "events"]:
                failed = [{"event": "runner_on_failed", "event_data": {"res": {"msg": self.repository_error}}}] if self.repository_error else []
                return 200, self.page(call, failed)
            case ["roles", role, actors]:
                return self.associate(call, self.granted.setdefault((int(role), actors), []), actors)
            case [collection] if collection in TYPES or collection == "unified_job_templates":
                if call.method == "POST":
                    return 201, self.shown(collection, self.create(collection, call.body), created=True)
                return 200, self.page(call, self.select(collection, call.query))
            case [collection, number, *rest] if collection in TYPES and int(number) in self.objects[collection]:
                return self.detail(call, collection, int(number), rest)
        return 404, {"detail": "Not found."}

    def detail(self, call: Call, collection: str, number: int, rest: list[str]) -> tuple[int, Any]:
        thing = self.objects[collection][number]
        match call.method, rest:
            case "GET", []:
                return 200, self.shown(collection, thing)
            case "PATCH", []:
                self.check(collection, call.body, thing)
                # An approval has no identifier and knows no workflow: AWX passes over what a serializer does not have.
                known = ("name", "description", "timeout") if collection == "workflow_approval_templates" else tuple(call.body)
                thing.update({name: value for name, value in call.body.items() if name in known})
                return 200, self.shown(collection, thing)
            case "DELETE", []:
                self.delete(collection, number)
                return (202 if collection == "inventories" else 204), None
            case "GET", ["survey_spec"]:
                return 200, self.surveys.get((collection, number), {})
            case "POST", ["survey_spec"]:
                if not call.body.get("spec"):
                    return 400, {"error": "'spec' doesn't contain any items."}
                if faults := faults_of_questions(call.body["spec"]):
                    return 400, {"error": faults[0]}
                self.surveys[(collection, number)] = call.body
                return 200, {}
            case "POST", ["update"]:
                self.update_project(thing)
                return 202, {"id": number, "url": f"{self.api}/project_updates/{number}/"}
            case "POST", ["create_approval_template"]:
                approval = self.add("workflow_approval_templates", {name: call.body[name] for name in ("name", "description", "timeout") if name in call.body})
                thing["unified_job_template"] = approval["id"]
                return 201, self.shown("workflow_approval_templates", approval)
            case _, [association] if collection != "workflow_approval_templates":
                of = "workflow_job_template_nodes" if association.endswith("_nodes") else "notification_templates"
                of = "credentials" if association == "galaxy_credentials" else association if association in TYPES else of
                return self.associate(call, self.linked.setdefault((collection, number, association), []), of)
        return 404, {"detail": "Not found."}

    def associate(self, call: Call, linked: list[int], collection: str) -> tuple[int, Any]:
        if call.method == "GET":
            return 200, self.page(call, [self.shown(collection, self.objects[collection][each]) for each in linked if each in self.objects[collection]])
        number = call.body["id"]
        if call.body.get("disassociate"):
            linked.remove(number)
        elif number not in self.objects[collection]:
            return 400, {"detail": f"{collection} {number} does not exist."}
        else:
            linked.append(number)
        return 204, None

    @staticmethod
    def page(call: Call, things: list[dict[str, Any]]) -> dict[str, Any]:
        number = int(call.query.get("page", "1"))
        more = "&".join(f"{name}={value}" for name, value in call.query.items() if name != "page")
        following = f"{call.path}?{more}{'&' if more else ''}page={number + 1}" if len(things) > number * PAGE else None
        return {"count": len(things), "next": following, "previous": None, "results": things[(number - 1) * PAGE : number * PAGE]}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    awx: Awx
    lock: threading.Lock

    def do(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        call = Call(self.command, parts.path, dict(parse_qsl(parts.query)), body, self.headers.get("Authorization", ""))
        with self.lock:
            self.awx.calls.append(call)
            try:
                status, answer = self.awx.answer(call)
            except Refused as refusal:
                status, answer = 400, refusal.args[0]
        sent = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sent)))
        self.send_header("X-API-Product-Name", self.awx.product)
        self.send_header("X-API-Product-Version", self.awx.version)
        self.end_headers()
        self.wfile.write(sent)

    do_GET = do_POST = do_PATCH = do_DELETE = do

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


@contextlib.contextmanager
def serving(version: str = "24.6.1", **fields: Any) -> Iterator[Awx]:
    """Run an empty AWX, with these fields of `Awx`; its project finds the playbooks of the role's project."""
    project = Path(__file__).parents[3] / "roles" / "awx_catalog" / "files" / "project"
    state = Awx(version=version, playbooks=[each.name for each in project.glob("*.yml")], **fields)
    handler = type("AwxHandler", (Handler,), {"awx": state, "lock": threading.Lock()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
