# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The role awx_catalog with the real modules of awx.awx, against a server that answers as AWX does.

A playbook starts a process for each object, so playbooks handle only a few objects here. The whole catalogue goes through the same
calls in this process, with the data that the role computes.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import jinja2.meta
import pytest
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery.mailer import mail_settings
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.awx.catalogue import CHECKOUT, PROJECT, RESOLVE, SECRETS, SETTINGS, Catalogue
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.awx import AAP, HIDDEN, LEFT_ALONE, TAKEN_ALONG, TOKEN, Awx, serving

FEW = {f"__awx_catalog_{name}": [] for name in ("inventories", "inventory_sources", "job_templates", "workflows", "schedules", "roles")} | {
    "__awx_catalog_all_teams": [{"name": "LLM keys requesters", "organization": "LLM keys"}]
}


@pytest.fixture(scope="module", autouse=True)
def _no_certificates() -> Iterator[None]:
    """Skip reading the machine's certificates, which takes half of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", os.devnull)
        yield


# ------------------------------------------------------------------------------------------------------------- playbooks
def under_the_other_name(folder: Path) -> dict[str, str]:
    """Return an environment in which awx.awx also goes by the name ansible.controller, which is built from it but not publicly available."""
    paths = os.environ["ANSIBLE_COLLECTIONS_PATH"]
    (awx,) = [found for each in paths.split(os.pathsep) if (found := Path(each) / "ansible_collections" / "awx" / "awx").exists()]
    copy = folder / "ansible_collections" / "ansible" / "controller"
    shutil.copytree(awx, copy, ignore=shutil.ignore_patterns("MANIFEST.json", "FILES.json", "runtime.yml", "test*"))
    return {"ANSIBLE_COLLECTIONS_PATH": f"{folder}{os.pathsep}{paths}"}


def test_the_playbook_creates_repeats_and_removes(playbook: Playbooks, tmp_path: Path) -> None:
    with serving() as awx:
        settings = {**SETTINGS, **FEW, "awx_catalog_host": awx.url}
        first = playbook("awx", settings, "-vvv")
        assert awx.names("credentials") == {"Ansible Galaxy", "LLM keys gateway", "LLM keys requests", "LLM keys target gateway"}
        for secret in [*SECRETS.values(), TOKEN]:
            assert secret not in first.output

        awx.calls.clear()
        assert playbook("awx", settings).changed == 0
        assert not awx.writes

        other = playbook("awx", {**settings, "awx_catalog_modules": "ansible.controller"}, "-vvv", environment=under_the_other_name(tmp_path))
        assert other.changed == 0 and not awx.writes and awx.calls
        assert "ansible.controller.team" in other.output or "ansible/controller" in other.output

        awx.add("projects", {"name": "of somebody else", "organization": awx.named("organizations", "LLM keys")["id"]})
        playbook("awx", {**settings, "awx_catalog_state": "absent"})
        assert awx.names("organizations") == {"LLM keys"}
        assert awx.names("projects") == {"of somebody else"}
        assert awx.names("credentials") == {"Ansible Galaxy"}
        assert not awx.names("teams") | awx.names("execution_environments") | awx.names("notification_templates")


@pytest.mark.parametrize(
    ("version", "settings", "words"),
    [
        ("21.14.0", {}, "is AWX 21.14.0, and the catalogue needs 22.0.0 or newer"),
        ("24.6.1", {"awx_catalog_image": ""}, "awx_catalog_image is not set; give the image"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(playbook: Playbooks, version: str, settings: dict[str, Any], words: str) -> None:
    with serving(version) as awx:
        run = playbook("awx", {**SETTINGS, **settings, "awx_catalog_host": awx.url}, check=False)
        assert run.returncode != 0
        assert words in " ".join(run.output.split())
        assert not awx.writes


def test_an_organization_of_others_keeps_its_credential_for_galaxy_and_what_is_in_it(playbook: Playbooks) -> None:
    """AWX would delete the label with the organization, and the workflow would lose its organization."""
    with serving() as awx:
        settings = {**SETTINGS, **FEW, "awx_catalog_host": awx.url}
        number = awx.create("organizations", {"name": "LLM keys"})["id"]
        galaxy = awx.linked[("organizations", number, "galaxy_credentials")] = [awx.named("credentials", "Ansible Galaxy")["id"] + 1000]
        awx.objects["credentials"][galaxy[0]] = {**awx.named("credentials", "Ansible Galaxy"), "id": galaxy[0], "name": "their hub"}
        playbook("awx", settings)
        assert awx.linked[("organizations", number, "galaxy_credentials")] == galaxy
        awx.add("labels", {"name": "of somebody else", "organization": number})
        awx.add("workflow_job_templates", {"name": "of somebody else", "organization": number})
        gone = playbook("awx", {**settings, "awx_catalog_state": "absent", "awx_catalog_kubernetes_host": ""})
        assert "LLM keys stays, because others have something in it: labels (1), workflow_job_templates (1)" in " ".join(gone.output.split())
        assert awx.names("labels") == {"of somebody else"}
        assert awx.named("workflow_job_templates", "of somebody else")["organization"] == number
        assert not awx.names("credentials") & {"LLM keys gateway", "LLM keys requests"}


def test_organizations_and_teams_of_aap_are_taken_as_they_are(playbook: Playbooks) -> None:
    with serving("4.6.3", product=AAP, api="/api/controller/v2") as awx:
        settings = {**SETTINGS, **FEW, "awx_catalog_host": awx.url}
        lost = playbook("awx", settings, check=False)
        assert lost.returncode != 0
        assert "found no API of AWX at /api/; set awx_catalog_api_path to /api/controller/" in " ".join(lost.output.split())
        settings["awx_catalog_api_path"] = "/api/controller/"
        refused = playbook("awx", settings, check=False)
        assert refused.returncode != 0 and not awx.writes
        words = "has no organization LLM keys, no team LLM keys requesters, and the catalogue may not make them there"
        assert words in " ".join(refused.output.split())
        number = awx.add("organizations", {"name": "LLM keys"})["id"]
        awx.add("teams", {"name": "LLM keys requesters", "organization": number})
        playbook("awx", settings)
        assert awx.named("projects", "LLM keys")["has_collections"]
        playbook("awx", {**settings, "awx_catalog_state": "absent"})
        assert awx.names("organizations") == {"LLM keys"} and awx.names("teams") == {"LLM keys requesters"}
        assert not awx.names("projects")


def test_a_project_that_cannot_be_fetched_says_why_and_is_fetched_again(playbook: Playbooks) -> None:
    with serving(repository_error="fatal: repository 'https://git.example.com/llm-keys.git/' not found") as awx:
        settings = {**SETTINGS, **FEW, "awx_catalog_host": awx.url}
        for _run in range(2):
            run = playbook("awx", settings, check=False)
            assert run.returncode != 0
            assert "repository 'https://git.example.com/llm-keys.git/' not found" in " ".join(run.output.split())
        awx.repository_error = ""
        assert playbook("awx", settings).changed > 0
        assert "waiting.yml" in awx.named("projects", "LLM keys")["playbook_files"]
        assert playbook("awx", settings).changed == 0


def test_check_mode_with_secrets_of_one_letter_is_no_failure(playbook: Playbooks) -> None:
    """Ansible blanks the values of hidden options out of every message, also of the one that says what is missing."""
    with serving() as awx:
        letters = {"awx_catalog_smtp_user": "x", "awx_catalog_smtp_password": "e", "awx_catalog_smtp_port": "1"}
        none = {f"__awx_catalog_{name}": [] for name in ("all_teams", "execution_environments", "notification_templates", "projects", "organizations")}
        settings = {**SETTINGS, **FEW, **none, **letters, "awx_catalog_host": awx.url}
        assert playbook("awx", settings, "--check").changed > 0
        assert not awx.writes
        for _time in range(2):
            awx.add("credential_types", {"name": "LLM keys gateway", "kind": "cloud", "inputs": {"fields": []}})
        twice = playbook("awx", {**settings, "__awx_catalog_credential_types": []}, "--check", check=False)
        assert twice.returncode != 0 and "returned 2 items, expected 1" in " ".join(twice.output.split())


def test_a_credential_for_galaxy_that_does_not_exist_is_named_before_anything_is_written(playbook: Playbooks) -> None:
    with serving() as awx:
        settings = {**SETTINGS, **FEW, "awx_catalog_host": awx.url, "awx_catalog_galaxy_credentials": ["our hub"]}
        run = playbook("awx", settings, check=False)
        assert run.returncode != 0 and not awx.writes
        assert "has no credential our hub for Galaxy or an automation hub, only Ansible Galaxy" in " ".join(run.output.split())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"__awx_catalog_organizations": [], "__awx_catalog_teams": [], "__awx_catalog_credential_types": []},
            "Request to /api/v2/organizations/?name=LLM+keys returned 0 items, expected 1",
        ),
        ({"awx_catalog_state": "absent", "__awx_catalog_removal_order": [], "awx_catalog_token": "another"}, "Status code was 401"),
    ],
)
def test_a_task_with_hidden_output_says_why_it_failed(playbook: Playbooks, settings: dict[str, Any], words: str) -> None:
    with serving() as awx:
        variables = {**SETTINGS, **FEW, "awx_catalog_host": awx.url, **settings}
        run = playbook("awx", variables, check=False, environment={"ANSIBLE_STDOUT_CALLBACK": "rhpds.litellm_virtual_keys.plain"})
        assert run.returncode != 0
        assert words in " ".join(run.output.split())
        assert not any(secret in run.output for secret in [*SECRETS.values(), TOKEN])


DISPATCH = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.include_role:
        name: rhpds.litellm_virtual_keys.awx_catalog
        tasks_from: dispatch
"""
DISPATCHED = """
- ansible.builtin.command: printenv CONTROLLER_OPTIONAL_API_URLPATTERN_PREFIX
  register: path
- ansible.builtin.copy:
    content: >-
      {{ {'path': path.stdout, 'login': [aap_token, aap_username, aap_password], 'hides': aap_configuration_secure_logging,
          'organizations': aap_organizations, 'state': platform_state | default('present')} | to_json }}
    dest: "{{ received }}"
    mode: "0600"
"""


def test_the_dispatch_gets_the_login_and_removes_nothing(playbook: Playbooks, tmp_path: Path) -> None:
    tasks = tmp_path / "ansible_collections" / "infra" / "aap_configuration" / "roles" / "dispatch" / "tasks"
    tasks.mkdir(parents=True)
    (tasks / "main.yml").write_text(DISPATCHED)
    (tmp_path / "dispatch.yml").write_text(DISPATCH)
    environment = {"ANSIBLE_COLLECTIONS_PATH": f"{tmp_path}{os.pathsep}{os.environ['ANSIBLE_COLLECTIONS_PATH']}"}
    received = tmp_path / "received.json"
    login = {"awx_catalog_token": "", "awx_catalog_username": "ada", "awx_catalog_password": "secret"}
    with serving() as awx:
        settings = {**SETTINGS, **login, "awx_catalog_host": awx.url, "awx_catalog_api_path": "/api", "received": str(received)}
        gone = playbook(tmp_path / "dispatch.yml", {**settings, "awx_catalog_state": "absent"}, check=False, environment=environment)
        assert gone.returncode != 0 and not received.exists()
        assert "run the playbook rhpds.litellm_virtual_keys.awx, which looks what is left" in " ".join(gone.output.split())
        playbook(tmp_path / "dispatch.yml", settings, environment=environment)
    assert json.loads(received.read_text()) == {
        "path": "/api",
        "login": ["", "ada", "secret"],
        "hides": True,
        "organizations": [{"name": "LLM keys", "galaxy_credentials": ["Ansible Galaxy"]}],
        "state": "present",
    }


# --------------------------------------------------------------------------------------------------------- the catalogue
def test_a_second_run_writes_nothing(catalogue: Catalogue, made: Awx) -> None:
    before = len(made.writes)
    assert not any(catalogue.bring(made).values())
    assert len(made.writes) == before


def test_check_mode_predicts_everything_and_writes_nothing(catalogue: Catalogue, made: Awx) -> None:
    with serving() as empty:
        assert all(catalogue.bring(empty, check=True).values())
        assert not empty.writes
    before = len(made.writes)
    assert not any(catalogue.bring(made, check=True).values())
    assert len(made.writes) == before


def test_a_change_by_hand_is_reverted(catalogue: Catalogue) -> None:
    with serving() as awx:
        catalogue.bring(awx)
        awx.named("job_templates", "LLM keys: deny")["playbook"] = "approve.yml"
        awx.named("workflow_approval_templates", "LLM keys: may they have the key?")["timeout"] = 1
        changed = catalogue.bring(awx)
        assert [name for name, is_so in changed.items() if is_so] == ["job_template LLM keys: deny", "workflow_job_template LLM keys: ask for a key"]
        assert awx.named("job_templates", "LLM keys: deny")["playbook"] == "deny.yml"


def test_it_is_removed_completely(catalogue: Catalogue) -> None:
    with serving() as awx:
        before = {name: set(things) for name, things in awx.objects.items()}
        catalogue.bring(awx)
        assert all(catalogue.bring(awx, "absent").values())
        left = {name: set(things) - before[name] for name, things in awx.objects.items() if name != "workflow_approval_templates"}
        assert not any(left.values())
        before_again = len(awx.writes)
        assert not any(catalogue.bring(awx, "absent").values())
        assert len(awx.writes) == before_again


def test_secrets_are_only_in_credentials(made: Awx) -> None:
    for call in made.calls:
        url = json.dumps([call.path, call.query])
        assert not any(secret in url for secret in [*SECRETS.values(), TOKEN])
        if not call.path.startswith("/api/v2/credentials/"):
            assert not any(secret in json.dumps(call.body) for secret in SECRETS.values())
    assert made.named("credentials", "LLM keys gateway")["inputs"]["master_key"] == SECRETS["master"]
    (shown,) = made.select("credentials", {"name": "LLM keys gateway"})
    assert shown["inputs"]["master_key"] == HIDDEN


def test_the_credential_is_injected_as_environment(made: Awx) -> None:
    kind = made.named("credential_types", "LLM keys gateway")
    assert list(kind["injectors"]) == ["env"]
    assert kind["injectors"]["env"]["LITELLM_MASTER_KEY"] == "{{ master_key }}"
    fields = {each["id"]: each for each in kind["inputs"]["fields"]}
    assert {"{{ " + name + " }}" for name in fields} == set(kind["injectors"]["env"].values())
    assert {name for name, each in fields.items() if each.get("secret")} == {
        "master_key",
        "derivation_secret",
        "smtp_password",
        "smtp_oauth_token",
        "smtp_oauth_client_secret",
        "smtp_oauth_refresh_token",
    }


def test_a_field_that_is_not_set_reaches_jobs_as_nothing_and_counts_as_not_set(made: Awx) -> None:
    environment = made.environment_of("LLM keys gateway")
    assert environment["LITELLM_MASTER_KEY"] == SECRETS["master"] and environment["SMTP_PORT"] == environment["SMTP_USE_TLS"] == ""
    assert mail_settings({}, environment) == mail_settings({}, {"SMTP_HOST": "mail.example.com", "SMTP_PASSWORD": SECRETS["smtp"]})


def test_the_collection_is_installed_with_the_project(made: Awx) -> None:
    assert made.named("projects", "LLM keys")["has_collections"]


def test_everything_that_awx_takes_along_is_looked_for_before_an_organization_is_removed() -> None:
    data = yaml.safe_load((CHECKOUT / "roles" / "awx_catalog" / "vars" / "main" / "people.yml").read_text())
    assert set(data["__awx_catalog_kinds_in_organization"]) == {*TAKEN_ALONG, *LEFT_ALONE}


def test_requests_are_for_whoever_starts_them_and_decisions_name_who_decided(made: Awx) -> None:
    request = json.loads(made.named("job_templates", "LLM keys: request")["extra_vars"])
    assert request == {"key_requests_store": "kubernetes", "key_requests_namespace": "llm-keys", "email": "{{ awx_user_email }}"}
    number = made.named("job_templates", "LLM keys: request")["id"]
    assert "email" not in [each["variable"] for each in made.surveys[("job_templates", number)]["spec"]]
    actor = jinja2.Template(json.loads(made.named("job_templates", "LLM keys: approve")["extra_vars"])["key_requests_actor"])
    assert actor.render(awx_user_name="ada", awx_workflow_job_id=7) == "workflow job 7 of AWX"
    assert actor.render(awx_user_name="ada") == "ada"


def test_the_workflow_asks_a_person_only_when_the_request_waits(made: Awx) -> None:
    nodes = {node["id"]: node for node in made.objects["workflow_job_template_nodes"].values()}
    names = {each["id"]: each["name"] for kind in ("job_templates", "workflow_approval_templates") for each in made.objects[kind].values()}
    links = {
        (nodes[number]["identifier"], how): [nodes[after]["identifier"] for after in afters]
        for (kind, number, how), afters in made.linked.items()
        if kind == "workflow_job_template_nodes" and afters
    }
    assert links == {
        ("request", "success_nodes"): ["decide"],
        ("decide", "always_nodes"): ["waiting"],
        ("waiting", "failure_nodes"): ["ask"],
        ("ask", "success_nodes"): ["approve"],
        ("ask", "failure_nodes"): ["deny"],
        ("approve", "success_nodes"): ["deliver"],
        ("deny", "success_nodes"): ["tell"],
    }
    runs = {node["identifier"]: names[node["unified_job_template"]] for node in nodes.values()}
    assert runs["ask"] == "LLM keys: may they have the key?"
    assert {runs[each] for each in ("decide", "deliver", "tell")} == {"LLM keys: process the queue"}
    workflow = made.named("workflow_job_templates", "LLM keys: ask for a key")["id"]
    hook = made.named("notification_templates", "LLM keys hook")["id"]
    assert made.linked[("workflow_job_templates", workflow, "notification_templates_approvals")] == [hook]


def test_permissions(made: Awx) -> None:
    teams = {each["id"]: each["name"] for each in made.objects["teams"].values()}
    granted: dict[str, set[tuple[str, str]]] = {}
    for (role, _actors), whom in made.granted.items():
        for collection, things in made.objects.items():
            if role // 100 in things:
                name = made.shown(collection, things[role // 100])["summary_fields"]["object_roles"]
                (what,) = [each["name"] for each in name.values() if each["id"] == role]
                for each in whom:
                    granted.setdefault(teams[each], set()).add((what, things[role // 100]["name"]))
    assert granted["LLM keys requesters"] == {("execute", "LLM keys: ask for a key")}
    execute = {("execute", f"LLM keys: {name}") for name in ("approve", "deny", "show requests")}
    assert granted["LLM keys approvers"] == {("approval", "LLM keys: ask for a key")} | execute
    assert {name for what, name in granted["LLM keys operators"] if what == "execute"} >= made.names("job_templates")


def test_schedules(made: Awx) -> None:
    runs = {each["id"]: each["name"] for kind in ("job_templates", "inventory_sources") for each in made.objects[kind].values()}
    schedules = {each["name"]: (runs[each["unified_job_template"]], each["rrule"].partition("RRULE:")[2]) for each in made.objects["schedules"].values()}
    assert schedules == {
        "LLM keys: queue": ("LLM keys: process the queue", "FREQ=MINUTELY;INTERVAL=5"),
        "LLM keys: notices": ("LLM keys: warn owners", "FREQ=MINUTELY;INTERVAL=60"),
        "LLM keys: reaper": ("LLM keys: reap", "FREQ=DAILY;INTERVAL=1;BYHOUR=3"),
        "LLM keys: report": ("LLM keys: report", "FREQ=DAILY;INTERVAL=7;BYHOUR=5"),
        "LLM keys: labs": ("LLM keys labs", "FREQ=MINUTELY;INTERVAL=60"),
    }


def test_those_who_are_named_hear_of_each_report_and_of_no_other_success(made: Awx) -> None:
    hook = made.named("notification_templates", "LLM keys hook")["id"]
    told = [number for (kind, number, how), linked in made.linked.items() if how == "notification_templates_success" and linked == [hook]]
    assert told == [made.named("job_templates", "LLM keys: report")["id"]]


# ----------------------------------------------------------------------------------------------------------- the project
WRAPPERS = sorted(path for path in PROJECT.glob("*.yml") if path.name != "labs.yml")


def variables_of(text: str) -> set[str]:
    """Return the variables that the templates in a YAML file read."""
    environment = jinja2.Environment(autoescape=False)
    environment.filters = _Anything()  # type: ignore[assignment]
    environment.tests = _Anything()  # type: ignore[assignment]
    return jinja2.meta.find_undeclared_variables(environment.parse(text))


class _Anything(dict[str, Any]):
    """Accepts filters and tests of any name."""

    def __contains__(self, name: object) -> bool:
        return True

    def get(self, name: str, default: Any = None) -> Any:
        return lambda *_arguments: None


def taken_by(wrapper: Path) -> set[str]:
    """Return the variables that the playbook of a wrapper and its roles accept."""
    taken = variables_of(wrapper.read_text())
    for play in yaml.safe_load(wrapper.read_text()):
        imported = str(play.get("ansible.builtin.import_playbook", "")).rpartition(".")[2]
        if not imported:
            continue
        playbook = CHECKOUT / "playbooks" / f"{imported}.yml"
        assert playbook.is_file(), f"{wrapper.name} imports {imported}, which does not exist"
        taken |= variables_of(playbook.read_text())
        for role in (CHECKOUT / "roles").iterdir():
            if f"rhpds.litellm_virtual_keys.{role.name}" in playbook.read_text():
                specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]
                taken |= {name for spec in specs.values() for name in spec.get("options", {})}
                taken |= variables_of((role / "defaults" / "main.yml").read_text())
    return taken


@pytest.mark.parametrize("wrapper", WRAPPERS, ids=lambda wrapper: wrapper.stem)
def test_templates_ask_for_variables_that_their_playbooks_accept(wrapper: Path, catalogue: Catalogue) -> None:
    templates = [each for each in catalogue.objects["job_template"] if each["playbook"] == wrapper.name]
    assert templates, f"no job template runs {wrapper.name}"
    for template in templates:
        asked = {question["variable"] for question in template.get("survey_spec", {}).get("spec", [])} | set(template["extra_vars"])
        assert asked <= taken_by(wrapper)


def test_every_template_accepts_further_variables(playbook: Playbooks, tmp_path: Path) -> None:
    stems = [wrapper.stem for wrapper in WRAPPERS]
    (tmp_path / "resolve.yml").write_text(RESOLVE)
    with serving() as awx:
        further = {"awx_catalog_extra_vars": {stem: {"further": stem} for stem in stems}}
        playbook(tmp_path / "resolve.yml", {**SETTINGS, **further, "awx_catalog_host": awx.url, "resolved": str(tmp_path / "resolved.json")})
    templates = json.loads((tmp_path / "resolved.json").read_text())["objects"]["job_template"]
    assert {each["playbook"].removesuffix(".yml"): each["extra_vars"].get("further") for each in templates} == {stem: stem for stem in stems}


def test_every_template_and_the_inventory_have_their_file(catalogue: Catalogue) -> None:
    assert {each["playbook"] for each in catalogue.objects["job_template"]} == {wrapper.name for wrapper in WRAPPERS}
    (source,) = catalogue.objects["inventory_source"]
    assert yaml.safe_load((PROJECT / source["source_path"]).read_text())["plugin"] == "rhpds.litellm_virtual_keys.labs"


def test_the_project_brings_this_collection() -> None:
    (wanted,) = yaml.safe_load((PROJECT / "collections" / "requirements.yml").read_text())["collections"]
    galaxy = yaml.safe_load((CHECKOUT / "galaxy.yml").read_text())
    assert wanted["name"] == f"{galaxy['namespace']}.{galaxy['name']}"
    assert wanted["version"] == f">={galaxy['version'].partition('.')[0]}.0.0,<{int(galaxy['version'].partition('.')[0]) + 1}.0.0"
