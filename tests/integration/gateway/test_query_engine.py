# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The query engine of the role litellm_gateway, by itself, on the real PostgreSQL of the shared gateway.

Every other integration test shows that LiteLLM works with it. These tests cover what LiteLLM meets only when something fails.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import pwd
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.processes import is_alive

SCHEMA = """
datasource client {
  provider = "postgresql"
  url      = env("DATABASE_URL")
}

generator client {
  provider = "prisma-client-py"
}

model Owner {
  id    String @id
  items Item[]
}

model Item {
  id      Int       @id @default(autoincrement())
  name    String    @unique
  count   BigInt    @default(0)
  weight  Float?
  price   Decimal?
  ready   Boolean   @default(false)
  at      DateTime?
  data    Json?
  tags    String[]
  raw     Bytes?
  ownerId String?
  owner   Owner?    @relation(fields: [ownerId], references: [id])
}
"""
TABLES = """
CREATE TABLE "Owner" (id text PRIMARY KEY);
CREATE TABLE "Item" (
  id serial PRIMARY KEY, name text UNIQUE NOT NULL, count bigint NOT NULL DEFAULT 0, weight double precision, price numeric,
  ready boolean NOT NULL DEFAULT false, at timestamp(3), data jsonb, tags text[], raw bytea,
  "ownerId" text REFERENCES "Owner" (id)
);
"""
CONNECTIONS = 3


class Engine:
    """A running query engine, called the way prisma-client-py calls it."""

    def __init__(self, command: Path, schema: Path, database_url: str) -> None:
        with contextlib.closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.database_url = database_url
        self.environment = {**os.environ, "PRISMA_DML_PATH": str(schema), "DATABASE_URL": f"{database_url}?connection_limit={CONNECTIONS}&pool_timeout=5"}
        self.command = [str(command), "-p", str(port), "--enable-metrics", "--enable-raw-queries"]
        self.process = subprocess.Popen(self.command, env=self.environment, stderr=subprocess.DEVNULL)
        self.wait_until_up()

    def wait_until_up(self) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(requests.ConnectionError):
                if requests.get(f"{self.url}/status", timeout=5).json() == {"status": "ok"}:
                    return
            time.sleep(0.05)
        raise AssertionError("the query engine did not come up")

    def post(self, path: str, body: Any, transaction: str | None = None) -> requests.Response:
        headers = {"X-transaction-id": transaction} if transaction else {}
        return requests.post(self.url + path, json=body, headers=headers, timeout=30)

    def query(self, text: str, transaction: str | None = None) -> Any:
        """Return the result of one operation."""
        answer = self.post("/", {"query": text, "variables": {}}, transaction).json()
        assert "errors" not in answer, answer
        return answer["data"]["result"]

    def error(self, text: str, transaction: str | None = None) -> dict[str, Any]:
        """Return the error of one operation, as the client reads it."""
        answer = self.post("/", {"query": text, "variables": {}}, transaction).json()
        found: dict[str, Any] = answer["errors"][0]["user_facing_error"]
        return found

    def begin(self, **options: int) -> str:
        answer = self.post("/transaction/start", {"max_wait": 2000, "timeout": 5000, **options})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    def names(self, transaction: str | None = None) -> list[str]:
        return [item["name"] for item in self.query("query { result: findManyItem(orderBy: {name: asc}) { name } }", transaction)]

    def create(self, name: str, transaction: str | None = None) -> Any:
        return self.query(f'mutation {{ result: createOneItem(data: {{name: "{name}"}}) {{ id name }} }}', transaction)


@pytest.fixture(scope="module")
def software(gateway: Gateway) -> Path:
    return gateway.software


@pytest.fixture
def database_url(gateway: Gateway, unique: str) -> Iterator[str]:
    """The URL of a new database."""
    with psycopg.connect(gateway.database_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {unique}")
    yield gateway.database_url.rpartition("/")[0] + f"/{unique}"
    with psycopg.connect(gateway.database_url, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {unique} WITH (FORCE)")


@pytest.fixture
def engine(software: Path, database_url: str, tmp_path: Path) -> Iterator[Engine]:
    with psycopg.connect(database_url) as connection:
        connection.execute(TABLES)
    schema = tmp_path / "schema.prisma"
    schema.write_text(SCHEMA)
    engine = Engine(software / "query-engine" / "bin" / "query-engine", schema, database_url)
    yield engine
    engine.process.kill()
    engine.process.wait()


# -------------------------------------------------------------------------------------------------------------- queries
def test_every_type_survives_a_round_trip(engine: Engine) -> None:
    fields = "name count weight price ready at data tags raw owner { id }"
    created = engine.query(
        """mutation { result: createOneItem(data: {
          name: "\\"quoted\\" ünï ☃ 'n' \\\\ back\\nslash", count: 9007199254740993, weight: 1.5, price: "12345678901234567890.123", ready: true,
          at: "2026-11-21T04:05:06.789Z", data: "{\\"a\\": {\\"b\\": [1, 2.0, null, \\"x\\"]}}", tags: ["one", "two, three", ""], raw: "AAH/",
          owner: { create: { id: "me" } }
        }) { FIELDS } }""".replace("FIELDS", fields)
    )
    assert created == engine.query(f"query {{ result: findFirstItem {{ {fields} }} }}")
    assert created == {
        "name": "\"quoted\" ünï ☃ 'n' \\ back\nslash",
        "count": "9007199254740993",  # beyond 2^53 a number would not be exact
        "weight": 1.5,
        "price": "12345678901234567890.123",
        "ready": True,
        "at": "2026-11-21T04:05:06.789Z",
        "data": created["data"],
        "tags": ["one", "two, three", ""],
        "raw": "AAH/",
        "owner": {"id": "me"},
    }
    assert json.loads(created["data"]) == {"a": {"b": [1, 2.0, None, "x"]}}


def test_a_small_bigint_is_a_number(engine: Engine) -> None:
    assert engine.query('mutation { result: createOneItem(data: {name: "a", count: 5}) { count } }') == {"count": 5}


def test_filters_see_into_json(engine: Engine) -> None:
    for name, data in (("a", {"kind": "x", "n": 1}), ("b", {"kind": "yes", "n": 2})):
        engine.query(f'mutation {{ result: createOneItem(data: {{name: "{name}", data: {json.dumps(json.dumps(data))}}}) {{ id }} }}')
    for condition in ('path: ["kind"], string_starts_with: "ye"', 'path: ["n"], equals: "2"', 'equals: "{\\"kind\\": \\"yes\\", \\"n\\": 2}"'):
        assert engine.query(f"query {{ result: findManyItem(where: {{data: {{{condition}}}}}) {{ name }} }}") == [{"name": "b"}], condition


def test_the_operations_that_litellm_uses(engine: Engine) -> None:
    assert engine.query('mutation { result: createManyItem(data: [{name: "a", count: 1}, {name: "b", count: 2}, {name: "c", count: 2}]) { count } }') == {
        "count": 3
    }
    upsert = 'mutation { result: upsertOneItem(where: {name: "a"}, create: {name: "a"}, update: {count: {increment: 10}}) { count } }'
    assert engine.query(upsert) == {"count": 11}
    assert engine.query('query { result: findUniqueItem(where: {name: "nobody"}) { id } }') is None
    assert engine.query('mutation { result: updateOneItem(where: {name: "a"}, data: {ready: true}) { ready } }') == {"ready": True}
    assert engine.query("mutation { result: updateManyItem(where: {count: {equals: 2}}, data: {ready: true}) { count } }") == {"count": 2}
    assert engine.query("query { result: aggregateItem { _count { _all } _sum { count } } }") == {"_count": {"_all": 3}, "_sum": {"count": 15}}
    grouped = engine.query("query { result: groupByItem(by: [count], orderBy: {count: asc}) { count _count { _all } } }")
    assert grouped == [{"count": 2, "_count": {"_all": 2}}, {"count": 11, "_count": {"_all": 1}}]
    assert engine.query('mutation { result: deleteOneItem(where: {name: "a"}) { name } }') == {"name": "a"}
    assert engine.query("mutation { result: deleteManyItem { count } }") == {"count": 2}


def test_raw_rows_keep_their_types(engine: Engine) -> None:
    sql = """SELECT 1.0::float8 AS f, 1::int4 AS i, 9007199254740993::int8 AS b, 1.50::numeric AS n, NULL::text AS nothing, $1::text AS t, true AS yes,
      '2026-11-21 06:00:00+02'::timestamptz AS at, ARRAY['a','b,c'] AS texts, '{"a": 1.0}'::jsonb AS data, 'x'::name AS name, '"Item"'::regclass AS class,
      ARRAY['2026-11-21 06:00:00+02'::timestamptz] AS times, ARRAY['{"a": 1}'::jsonb] AS list"""
    query = f"mutation {{ result: queryRaw(query: {json.dumps(sql)}, parameters: {json.dumps(json.dumps(['☃']))}) }}"
    text = engine.post("/", {"query": query}).text
    answer = json.loads(text)["data"]["result"]
    assert dict(zip(answer["columns"], zip(answer["types"], answer["rows"][0], strict=True), strict=True)) == {
        "f": ("double", 1.0), "i": ("int", 1), "b": ("bigint", "9007199254740993"), "n": ("decimal", "1.5"), "nothing": ("string", None), "t": ("string", "☃"),
        "yes": ("bool", True), "at": ("datetime", "2026-11-21T04:00:00+00:00"), "texts": ("string-array", ["a", "b,c"]), "data": ("json", {"a": 1.0}),
        "name": ("string", "x"), "class": ("string", '"Item"'), "times": ("datetime-array", ["2026-11-21T04:00:00+00:00"]), "list": ("json-array", [{"a": 1}]),
    }  # fmt: skip
    assert '"rows":[[1.0,1,' in text  # as a number 1 the client would take it for an integer
    changed = engine.query('mutation { result: executeRaw(query: "INSERT INTO \\"Owner\\" VALUES ($1), ($2)", parameters: "[\\"a\\", \\"b\\"]") }')
    assert changed == 2


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ('mutation { result: createOneItem(data: {name: "taken"}) { id } }', "P2002"),
        ('mutation { result: updateOneItem(where: {name: "nobody"}, data: {count: 1}) { id } }', "P2025"),
        ('query { result: findUniqueItemOrThrow(where: {name: "nobody"}) { id } }', "P2025"),
        ('mutation { result: createOneItem(data: {name: "x", ownerId: "nobody"}) { id } }', "P2003"),
        ('query { result: findManyItem(where: {colour: "red"}) { id } }', "P2009"),
        ('mutation { result: queryRaw(query: "SELECT nonsense", parameters: "[]") }', "P2010"),
    ],
)
def test_errors_carry_prismas_code(engine: Engine, query: str, code: str) -> None:
    engine.create("taken")
    error = engine.error(query)
    assert error["error_code"] == code
    assert isinstance(error["meta"], dict)  # the client looks into it


@pytest.mark.parametrize("query", ["query { result: dropEverything { id } }", "query { a: findManyItem { id } b: findManyItem { id } }", "query {"])
def test_an_invalid_query_is_an_error_and_not_a_crash(engine: Engine, query: str) -> None:
    assert engine.error(query)["message"]
    assert engine.names() == []


def test_many_at_once(engine: Engine) -> None:
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        list(pool.map(engine.create, [f"n{number:03}" for number in range(200)]))
    assert engine.names() == [f"n{number:03}" for number in range(200)]


# --------------------------------------------------------------------------------------------------------- transactions
def batch(engine: Engine, *queries: str) -> Any:
    return engine.post("/", {"batch": [{"query": query} for query in queries], "transaction": True}).json()


CREATE = 'mutation {{ result: createOneItem(data: {{name: "{}"}}) {{ name }} }}'


def test_a_batch_is_atomic(engine: Engine) -> None:
    answer = batch(engine, CREATE.format("a"), CREATE.format("b"))
    assert answer == {"batchResult": [{"data": {"result": {"name": "a"}}}, {"data": {"result": {"name": "b"}}}]}
    assert batch(engine, CREATE.format("c"), CREATE.format("a"))["errors"][0]["user_facing_error"]["error_code"] == "P2002"
    assert engine.names() == ["a", "b"]


def test_a_transaction_is_seen_when_committed(engine: Engine) -> None:
    transaction = engine.begin()
    engine.create("a", transaction)
    assert engine.names(transaction) == ["a"]
    assert engine.names() == []
    assert engine.post(f"/transaction/{transaction}/commit", {}).status_code == 200
    assert engine.names() == ["a"]


def test_a_transaction_leaves_nothing_when_rolled_back(engine: Engine) -> None:
    transaction = engine.begin()
    engine.create("a", transaction)
    assert engine.post(f"/transaction/{transaction}/rollback", {}).status_code == 200
    assert engine.names() == []
    assert engine.post(f"/transaction/{transaction}/commit", {}).status_code in (404, 422)


def test_a_transaction_expires(engine: Engine) -> None:
    transaction = engine.begin(timeout=200)
    engine.create("a", transaction)
    time.sleep(0.6)
    assert engine.error(CREATE.format("b"), transaction)["error_code"] == "P2028"
    assert engine.names() == []


def test_a_transaction_that_gets_no_connection_in_time_is_refused_and_frees_it_later(engine: Engine) -> None:
    held = [engine.begin() for _turn in range(CONNECTIONS)]
    refused = engine.post("/transaction/start", {"max_wait": 200, "timeout": 5000})
    assert (refused.status_code, refused.json()["error_code"]) == (504, "P2028")
    for transaction in held:
        engine.post(f"/transaction/{transaction}/rollback", {})
    held = [engine.begin() for _turn in range(CONNECTIONS)]  # the late one has given its connection back
    for transaction in held:
        engine.post(f"/transaction/{transaction}/rollback", {})


# ------------------------------------------------------------------------------------------------------ a lost database
def terminate_connections(engine: Engine) -> None:
    with psycopg.connect(engine.database_url, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")


def test_a_lost_connection_is_replaced(engine: Engine) -> None:
    engine.create("a")
    terminate_connections(engine)
    time.sleep(0.2)
    assert engine.names() == ["a"]


def test_a_transaction_whose_connection_is_lost_fails_alone(engine: Engine) -> None:
    transaction = engine.begin()
    engine.create("a", transaction)
    terminate_connections(engine)
    time.sleep(0.2)
    assert engine.error(CREATE.format("b"), transaction)["error_code"] == "P1017"
    assert engine.names() == []


def test_a_lost_database_is_named_and_used_again_when_it_returns(engine: Engine, gateway: Gateway) -> None:
    engine.create("a")
    gateway.stop_postgres()
    try:
        error = engine.error("query { result: findManyItem { name } }")
        assert error["error_code"] in ("P1001", "P1017"), error
        time.sleep(0.2)
        error = engine.error("query { result: findManyItem { name } }")
        assert error["error_code"] == "P1001"
        assert "Can't reach database server" in error["message"]  # LiteLLM looks for these words
    finally:
        gateway.start_postgres()
    assert engine.names() == ["a"]


# -------------------------------------------------------------------------------------------------------------- process
# ----------------------------------------------------------------------------------------------------------- who may ask
ASK_AND_LEAVE = """
import socket, sys

body = b'{"query": "mutation { result: createOneItem(data: {name: \\"stolen\\"}) { id } }"}'
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as stranger:
    stranger.sendall(b"POST / HTTP/1.1\\r\\nHost: localhost\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body)
    if sys.argv[2] == "wait":
        print(stranger.recv(100))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a program as another user")
@pytest.mark.parametrize("patience", ["wait", "leave"])
def test_programs_of_other_users_are_not_answered(engine: Engine, patience: str) -> None:
    """A connection whose program has left belongs to nobody, which is root's number too."""
    nobody = pwd.getpwnam("nobody")
    port = engine.url.rpartition(":")[2]
    for _time in range(10):
        done = subprocess.run(
            ["/usr/bin/python3", "-I", "-c", ASK_AND_LEAVE, port, patience], user=nobody.pw_uid, group=nobody.pw_gid, capture_output=True, check=False
        )
        assert done.stdout in (b"", b"b''\n")
    assert engine.names() == []


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"}, {"Host": ""}])
def test_pages_in_a_browser_are_refused(engine: Engine, headers: dict[str, str]) -> None:
    query = 'mutation { result: createOneItem(data: {name: "stolen"}) { id } }'
    assert requests.post(engine.url, json={"query": query}, headers=headers, timeout=10).status_code == 403
    assert engine.names() == []


# ---------------------------------------------------------------------------------------------------------- its own life
def test_it_ends_when_asked_to(engine: Engine) -> None:
    engine.process.send_signal(signal.SIGTERM)
    assert engine.process.wait(timeout=5) == 0


def test_it_does_not_outlive_its_parent(engine: Engine) -> None:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    parent = subprocess.Popen(
        ["/bin/sh", "-c", '"$@" & echo $!; wait', "sh", engine.command[0], "-p", port], env=engine.environment, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout
    child = int(parent.stdout.readline())
    time.sleep(1)
    os.kill(child, 0)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and is_alive(child):
        time.sleep(0.05)
    assert not is_alive(child)


def test_it_prints_the_version_that_the_client_expects(software: Path) -> None:
    printed = subprocess.run([software / "query-engine" / "bin" / "query-engine", "--version"], capture_output=True, text=True, check=True)
    assert printed.stdout == "query-engine 393aa359c9ad4a4bb28630fb5613f9c281cde053\n"


# ----------------------------------------------------------------------------------------------------------- migrations
class Migrations:
    """The stand-in for Prisma's command line, in a folder of migrations."""

    def __init__(self, command: Path, folder: Path, database_url: str) -> None:
        self.command, self.folder, self.database_url = command, folder, database_url

    def add(self, name: str, sql: str) -> None:
        (self.folder / "migrations" / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "migrations" / name / "migration.sql").write_text(sql)

    def start(self, *words: str, **more: str) -> subprocess.Popen[str]:
        environment = {**os.environ, **more, "DATABASE_URL": f"{self.database_url}?connection_limit=5&schema=public"}
        return subprocess.Popen([self.command, *words], cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *words: str, **more: str) -> tuple[int, str]:
        process = self.start(*words, **more)
        out, error = process.communicate(timeout=60)
        return process.returncode, out + error

    def applied(self) -> list[str]:
        with psycopg.connect(self.database_url) as connection:
            ledger = "SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL ORDER BY started_at"
            return [str(name) for (name,) in connection.execute(ledger)]


@pytest.fixture
def migrations(software: Path, database_url: str, tmp_path: Path) -> Migrations:
    return Migrations(software / "query-engine" / "bin" / "prisma", tmp_path, database_url)


def test_migrations_are_applied_once_and_in_order(migrations: Migrations) -> None:
    migrations.add("20260101000000_first", "CREATE TABLE t (a int);")
    migrations.add("20260102000000_with a space", "ALTER TABLE t ADD b int; INSERT INTO t VALUES (1, 2);")
    assert migrations.run("migrate", "deploy") == (0, "2 migrations applied\n")
    assert migrations.run("migrate", "deploy") == (0, "No pending migrations to apply.\n")
    migrations.add("20260103000000_third", "DELETE FROM t;")
    assert migrations.run("migrate", "deploy") == (0, "1 migrations applied\n")
    assert migrations.applied() == ["20260101000000_first", "20260102000000_with a space", "20260103000000_third"]


def test_two_that_migrate_at_once_apply_each_migration_once(migrations: Migrations) -> None:
    for number in range(5):
        migrations.add(f"2026010{number}000000_n", f"SELECT pg_sleep(0.05); CREATE TABLE t{number} (a int);")
    processes = [migrations.start("migrate", "deploy") for _turn in range(3)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    assert len(migrations.applied()) == 5


def test_a_litellm_that_holds_the_lock_itself_is_not_waited_for(migrations: Migrations) -> None:
    """As LiteLLM 1.110 does: litellm_proxy_extras locks, then runs this program."""
    migrations.add("20260101000000_first", "CREATE TABLE t (a int);")
    with psycopg.connect(migrations.database_url) as litellm:
        litellm.execute("SELECT pg_advisory_lock(72707369)")
        assert migrations.run("migrate", "deploy", PRISMA_SCHEMA_DISABLE_ADVISORY_LOCK="1") == (0, "1 migrations applied\n")


def test_a_failed_migration_stops_the_next_ones_until_it_is_settled(migrations: Migrations) -> None:
    migrations.add("20260101000000_bad", "CREATE TABLE t (a int); SELECT nonsense;")
    migrations.add("20260102000000_good", "CREATE TABLE u (a int);")
    status, output = migrations.run("migrate", "deploy")
    assert status == 1
    assert "P3018" in output
    assert "Migration name: 20260101000000_bad" in output
    assert 'column "nonsense" does not exist' in output
    status, output = migrations.run("migrate", "deploy")
    assert (status, "P3009" in output, "`20260101000000_bad`" in output) == (1, True, True)
    assert migrations.run("migrate", "resolve", "--rolled-back", "20260101000000_bad")[0] == 0
    migrations.add("20260101000000_bad", "CREATE TABLE t (a int);")
    assert migrations.run("migrate", "deploy")[0] == 0
    assert migrations.applied() == ["20260101000000_bad", "20260102000000_good"]


def test_what_only_the_native_engine_can_do_is_refused(migrations: Migrations) -> None:
    status, output = migrations.run("db", "push")
    assert status == 1
    assert "litellm_gateway_engine=native" in output
