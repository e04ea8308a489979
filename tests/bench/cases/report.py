# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The report and the statistics over a month with 100,000 rows of spend, of a thousand keys of which half are deleted.

It uses two stocks: rows as LiteLLM writes them for that many requests, and the worst case with as many daily sums.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import psycopg
from ansible_collections.rhpds.litellm_virtual_keys.tests.bench.bench import Bench, Run, typical
from ansible_collections.rhpds.litellm_virtual_keys.tests.bench.results import Bar, Result
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.tables import Cell, Table

ROWS = 100_000
KEYS = 1_000
DAYS = 30
SECONDS = 10.0
MEGABYTES = 300.0
PREFIX = "virtkey-spent"


@dataclasses.dataclass(frozen=True)
class Stock:
    """The requests of a month: each key is used on `active` of `DAYS` days, with `models` models."""

    name: str
    active: int
    models: int


USUAL = Stock("as for 100,000 requests", active=7, models=2)
WORST = Stock("100,000 daily sums", active=25, models=4)

_KEYS = """
    INSERT INTO "{table}"
    SELECT (jsonb_populate_record(NULL::"{table}", to_jsonb(made) || jsonb_build_object(
        'id', gen_random_uuid(),
        'token', encode(sha256(convert_to('spent ' || number, 'UTF8')), 'hex'),
        'key_alias', format('virtkey-spent%%s-user%%s', number / 20, number %% 20 + 1),
        'user_id', format('user%%s@lab.example.com', number %% 20 + 1),
        'max_budget', 5, 'spend', (number %% 100) / 20.0,
        'metadata', jsonb_build_object(
            'owner', format('owner%%s@example.com', number / 20 %% 17),
            'litellm_virtual_keys', jsonb_build_object(
                'format', 1, 'generation', 0, 'guid', 'spent' || number / 20, 'lab', 'virtkey-spent' || number / 20,
                'user', 'user' || number %% 20 + 1, 'package', CASE number / 20 %% 2 WHEN 0 THEN 'ai-developer' ELSE 'lab-prod' END)),
        'created_at', now() - interval '40 days', 'deleted_at', now()))).*
    FROM "LiteLLM_VerificationToken" AS made, generate_series(%(first)s::integer, %(last)s::integer) AS number
    WHERE made.key_alias = %(pattern)s
"""

# Request number n: of key n % KEYS; its day and model follow from how often the key was used before.
_LOGS = """
    INSERT INTO "LiteLLM_SpendLogs"
        (request_id, call_type, api_key, spend, total_tokens, prompt_tokens, completion_tokens, "startTime", "endTime",
         model, model_group, custom_llm_provider, "user", status, metadata)
    SELECT 'spent-' || number, 'acompletion', encode(sha256(convert_to('spent ' || key, 'UTF8')), 'hex'),
        0.0001 * (1 + turn %% 7), 120 + turn, 100 + turn, 20, at, at + interval '1 second',
        'openai/model-' || model, 'model-' || model, 'openai', format('user%%s@lab.example.com', key %% 20 + 1), 'success', '{}'
    FROM generate_series(0, %(rows)s::integer - 1) AS number,
        LATERAL (SELECT number %% %(keys)s AS key, number / %(keys)s AS turn) AS used,
        LATERAL (SELECT turn / %(active)s %% %(models)s AS model,
            date_trunc('day', now() AT TIME ZONE 'UTC')
                - ((key + turn %% %(active)s) %% %(days)s) * interval '1 day' + interval '1 second' AS at) AS when_and_what
"""

# As LiteLLM's own writer of daily sums does for each request.
_DAILY = """
    INSERT INTO "LiteLLM_DailyUserSpend"
        (id, user_id, date, api_key, model, model_group, custom_llm_provider, mcp_namespaced_tool_name, endpoint,
         prompt_tokens, completion_tokens, spend, api_requests, successful_requests, failed_requests, updated_at)
    SELECT gen_random_uuid(), "user", to_char("startTime", 'YYYY-MM-DD'), api_key, model, model_group, custom_llm_provider, '',
        '/chat/completions', sum(prompt_tokens), sum(completion_tokens), sum(spend), count(*), count(*), 0, now()
    FROM "LiteLLM_SpendLogs" WHERE starts_with(request_id, 'spent-')
    GROUP BY "user", to_char("startTime", 'YYYY-MM-DD'), api_key, model, model_group, custom_llm_provider
"""
_KEY_TABLES = ("LiteLLM_VerificationToken", "LiteLLM_DeletedVerificationToken")
_SPEND_TABLES = ("LiteLLM_SpendLogs", "LiteLLM_DailyUserSpend")


def fill(database_url: str, stock: Stock, pattern: str) -> tuple[int, int]:
    """Give the gateway the stock, with keys like the one whose alias is `pattern`, and return how many logs and daily sums it has."""
    empty(database_url)
    with psycopg.connect(database_url, autocommit=True) as database:
        for number, table in enumerate(_KEY_TABLES):
            ends = {"first": number * KEYS // 2, "last": (number + 1) * KEYS // 2 - 1}
            database.execute(_KEYS.format(table=table), {"pattern": pattern, **ends})
        values = {"rows": ROWS, "keys": KEYS, "days": DAYS, "active": stock.active, "models": stock.models}
        database.execute(_LOGS, values)
        database.execute(_DAILY)
        for table in (*_KEY_TABLES, *_SPEND_TABLES):
            database.execute(f'VACUUM ANALYZE "{table}"')
        logs, sums = (database.execute(f'SELECT count(*) FROM "{table}"').fetchone() for table in _SPEND_TABLES)
    assert logs and sums
    return int(logs[0]), int(sums[0])


def empty(database_url: str) -> None:
    """Delete the keys and the spend of all stocks."""
    with psycopg.connect(database_url, autocommit=True) as database:
        for table in _KEY_TABLES:
            database.execute(f'DELETE FROM "{table}" WHERE starts_with(key_alias, %s)', [PREFIX])
        for table in _SPEND_TABLES:
            database.execute(f'TRUNCATE "{table}"')


def run(bench: Bench) -> Result:
    folder = bench.directory / "report"
    folder.mkdir()
    pattern = {"guid": "pattern", "num_users": 1, "output_dir": str(folder)}
    bench.play("provision", pattern)
    rows: list[list[Cell]] = []
    bars = []
    for stock in (USUAL, WORST):
        bench.say(f"Report over {stock.name} ...")
        logs, sums = fill(bench.gateway.database_url, stock, "virtkey-pattern")
        for name, measured in jobs(bench, folder).items():
            rows.append([name, stock.name, logs, sums, measured.wall, measured.module, measured.megabytes, measured.calls])
            if name == "report":
                figures = f"{measured.wall:.1f} s, {measured.megabytes:.0f} MB"
                good = measured.wall < SECONDS and measured.megabytes < MEGABYTES
                bars.append(Bar(f"report over {logs:,} rows of spend, {stock.name}", f"{SECONDS:.0f} s and {MEGABYTES:.0f} MB", figures, good))
    empty(bench.gateway.database_url)
    bench.play("destroy", pattern)
    columns = ["playbook", "stock", "rows of spend", "daily sums", "wall s", "module s", "MB", "calls"]
    return Result([Table(f"Usage of {KEYS:,} keys over {DAYS} days", columns, rows)], bars)


def jobs(bench: Bench, folder: Path) -> dict[str, Run]:
    """Run the report with a page and a file of each kind, and the statistics."""
    files = {f"report_{kind}": str(folder / f"report.{kind}") for kind in ("html", "json", "csv")}
    found: dict[str, Run] = {}
    for name, variables in (("report", files), ("stats", {"output": "json"})):
        runs: list[Run] = []
        while bench.once_more([run.wall for run in runs]):
            runs.append(bench.play(name, variables))
        found[name] = typical(runs)
    return found
