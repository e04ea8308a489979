# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""A lab's life: provision, provision again, extend, destroy; for labs of several sizes, and beside growing numbers of other keys.

Provisioning and extending are compared with the same calls, word for word, by a bare pooled client.
"""

from __future__ import annotations

import dataclasses
import math
import shutil
import statistics
from collections.abc import Callable, Iterable, Sequence

from ansible_collections.rhpds.litellm_virtual_keys.tests.bench.bench import MORE, Bench, Run, one_more, typical
from ansible_collections.rhpds.litellm_virtual_keys.tests.bench.results import Bar, Chart, Result
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.tables import Cell, Table

NAMES = ("provision", "again", "extend", "destroy")
USUAL = 20
"""Number of users of the lab that is measured beside other keys; the bars are for this size."""
PAGE = 100
"""Number of keys on a page of LiteLLM's list."""
EXTEND_FOR = "2000h"  # beyond the 30 days of the default package

RELEASE_1_3_2 = {"provision": 39.2, "destroy": 231.0}
"""Seconds that release 1.3.2 took for 20 users, the destruction beside 1,000 other keys; measured on 2026-11-21 on a machine
with 2 cores against the same LiteLLM release, not by this run."""
FASTER = {"provision": 10, "destroy": 50}
OVER_FLOOR = 1.5
MOST_WITH_FLOOR = 100
"""Users up to which the bar for the whole run holds."""


@dataclasses.dataclass(frozen=True)
class Job:
    """One kind of run for a lab of `users` users, beside `others` keys of other labs.

    `bare` is the time of the bare client, and `idle` that of a playbook with one module that does nothing, in seconds.
    """

    others: int
    users: int
    name: str
    run: Run
    times: int
    idle: float
    bare: float | None = None
    left: int = 0
    """Number of the lab's keys that the database still held afterwards."""

    @property
    def over_floor(self) -> float | None:
        """The whole run against its floor: Ansible doing nothing, and the bare calls."""
        return self.run.wall / (self.idle + self.bare) if self.bare else None


def run(bench: Bench) -> Result:
    jobs: list[Job] = []
    few = bench.options.others[0]
    for others in bench.options.others:
        bench.say(f"{others:,} keys of other labs: writing them ...")
        bench.others(others)
        for users in bench.options.users if others == few else [USUAL]:
            jobs += measured(bench, others, users)
    bench.others(0)
    return Result([table(jobs), *each_user(jobs)], list(bars(jobs)), list(charts(jobs)))


def measured(bench: Bench, others: int, users: int) -> list[Job]:
    """The four jobs, repeated as a whole."""
    runs: dict[str, list[Run]] = {name: [] for name in NAMES}
    bares: dict[str, list[float]] = {"provision": [], "extend": []}
    lives: list[float] = []
    left = 0
    while bench.once_more(lives):
        guid = f"bench{others}u{users}n{len(lives)}"
        lab = {
            "guid": guid,
            "num_users": users,
            "output_dir": str(bench.directory / guid),
            "ocp4_workload_litellm_virtual_keys_extend_for": EXTEND_FOR,
        }
        for name, playbook in (("provision", "provision"), ("again", "provision"), ("extend", "extend"), ("destroy", "destroy")):
            done = bench.play(playbook, lab)
            bench.say(f"  {users} users beside {others:,} keys: {name} {done.wall:.1f} s")
            runs[name].append(done)
            if name == "extend":
                bares[name].append(bench.bare(done.written()))
        left += bench.left(f"virtkey-{guid}")
        bares["provision"].append(bench.bare(runs["provision"][-1].written()))
        bench.remove(f"virtkey-{guid}")
        shutil.rmtree(lab["output_dir"])
        lives.append(sum(of_job[-1].wall for of_job in runs.values()))
    return [
        Job(
            others,
            users,
            name,
            typical(of_job),
            len(of_job),
            bench.nothing.wall,
            bare=statistics.median(bares[name]) if name in bares else None,
            left=left if name == "destroy" else 0,
        )
        for name, of_job in runs.items()
    ]


def table(jobs: Iterable[Job]) -> Table:
    columns = ["other keys", "users", "job", "wall s", "CPU s", "gateway s", "idle s", "bare s", "times"]
    rows = [
        [
            *(job.others, job.users, job.name, job.run.wall, job.run.cpu, job.run.gateway, job.idle, job.bare, job.over_floor),
            *(job.run.calls, job.run.reads, job.run.writes, job.run.probes, job.run.megabytes, job.times),
        ]
        for job in jobs
    ]
    note = (
        "wall: the whole ansible-playbook run; CPU: of all its processes; gateway: the time in which at least one call was under way.\n"
        "idle: a playbook with one module that does nothing; bare: a process that makes the same writing calls, pooled, 8 at a time, and"
        " nothing else; times: wall against idle and bare together.\n"
        "probes: calls with deleted keys; MB: all processes of the run, shared pages once; runs: how often it was run. Shown are"
        " medians, of calls the most."
    )
    return Table("A lab's life", [*columns, "calls", "reads", "writes", "probes", "MB", "runs"], rows, note)


def each_user(jobs: Sequence[Job]) -> Iterable[Table]:
    """Yield a table of the cost of one more user, from the difference between the two largest labs, by who causes it."""
    few = min(job.others for job in jobs)
    sizes = sorted({job.users for job in jobs if job.others == few})[-2:]
    if len(sizes) < 2:
        return
    at = {(job.name, job.users): job.run for job in jobs if job.others == few}
    rows: list[list[Cell]] = [[name, *one_more(*(at[name, size] for size in sizes), sizes[1] - sizes[0])] for name in NAMES]
    note = (
        f"The difference between labs of {sizes[0]:,} and {sizes[1]:,} users, per user; what a run costs anyway is not in it.\n"
        "gateway: calls under way, several at a time."
    )
    yield Table("What one user more costs", ["job", *MORE], rows, note)


def charts(jobs: Sequence[Job]) -> Iterable[Chart]:
    """Yield curves of the wall time and its shares by users, and of the wall time by other keys, if they have several points."""
    few = min(job.others for job in jobs)
    beside = [job for job in jobs if job.others == few]
    if len({job.users for job in beside}) > 1:
        walls = {name: [(job.users, job.run.wall) for job in beside if job.name == name] for name in NAMES}
        title = f"A lab's life, by its users (beside {few:,} other keys)"
        yield Chart("lab-users", title, "users", "seconds, the whole command", walls, "log", "log")
        made = [job for job in beside if job.name == "provision"]
        shares = {
            "Ansible": [(job.users, job.run.wall - job.run.gateway) for job in made],
            "gateway": [(job.users, job.run.gateway) for job in made],
        }
        yield Chart("lab-shares", "Provisioning: who takes the time", "users", "seconds", shares, "log", "log")
    usual = [job for job in jobs if job.users == USUAL]
    if len({job.others for job in usual}) > 1:
        walls = {name: [(job.others, job.run.wall) for job in usual if job.name == name] for name in NAMES}
        title = f"The life of a lab of {USUAL} users, by the keys of other labs"
        yield Chart("lab-others", title, "keys of other labs in the gateway", "seconds, the whole command", walls, "symlog")


# ---------------------------------------------------------------------------------------------------------------- bars
def bars(jobs: list[Job]) -> Iterable[Bar]:
    for name, release in RELEASE_1_3_2.items():
        others = 1000 if name == "destroy" else 0
        for job in jobs:
            if (job.name, job.users, job.others) == (name, 20, others):
                factor = release / job.run.wall
                yield Bar(
                    f"{name} 20 users beside {others:,} keys, against the {release} s of release 1.3.2 (measured earlier)",
                    f"{FASTER[name]}x faster",
                    f"{job.run.wall:.2f} s, {factor:.0f}x",
                    factor >= FASTER[name],
                )
    yield from worst(jobs, "destroy", "keys left after destroy N", "0", lambda job: (job.left, 0))
    # Beside the pages: the models, the right to see all keys, the keys once more, and the deleted ones before and after minting, because
    # a run that revokes meanwhile would otherwise have its values made again.
    yield from worst(jobs, "provision", "HTTP calls to provision N", "N + 5 + pages", lambda job: (job.run.calls, job.users + 5 + pages(job)))
    yield from worst(
        jobs,
        "destroy",
        "HTTP calls to destroy N, those for its receipt apart",
        "4 + pages + probes",
        lambda job: (job.run.calls - receipt(job), 4 + pages(job) + job.run.probes),
    )
    yield from worst(jobs, "again", "tasks changed by provisioning again", "0", lambda job: (job.run.changed, 0))
    yield from worst(jobs, "again", "writes to provision again", "0", lambda job: (job.run.writes, 0))
    yield from worst(jobs, "again", "reads to provision again", "1 + pages (2 for 100 users)", lambda job: (job.run.reads, 1 + pages(job)))
    yield from steady(jobs)
    for job in jobs:
        if job.bare and job.over_floor and job.users <= MOST_WITH_FLOOR:
            yield Bar(
                f"{job.name} {job.users} users beside {job.others:,} keys: whole run against its floor, Ansible doing nothing and the bare calls",
                f"{OVER_FLOOR}x",
                f"{job.run.wall:.2f} s / ({job.idle:.2f} + {job.bare:.2f}) s = {job.over_floor:.2f}x",
                job.over_floor <= OVER_FLOOR,
            )


def pages(job: Job) -> int:
    """Return the number of pages that list the lab's keys."""
    return math.ceil(job.users / PAGE)


def receipt(job: Job) -> int:
    """Calls that read what the lab has spent: the pages of its keys, and one for former keys or for usage."""
    return 1 + pages(job)


def worst(jobs: list[Job], name: str, what: str, limit: str, measure: Callable[[Job], tuple[int, int]]) -> Iterable[Bar]:
    """The job that comes closest to its limit, or is furthest beyond it. `measure` tells figure and limit."""
    mine = [job for job in jobs if job.name == name]
    if mine:
        job = max(mine, key=lambda job: measure(job)[0] - measure(job)[1])
        figure, allowed = measure(job)
        figures = f"{figure} of {allowed} (N = {job.users}, beside {job.others:,} keys)"
        yield Bar(what, limit, figures, figure <= allowed)


def steady(jobs: list[Job]) -> Iterable[Bar]:
    """Yield a bar: the number of reads is the same for any number of other labs' keys."""
    kinds = {(job.name, job.users) for job in jobs}
    grown = [
        f"{name} {users}: {min(reads)} to {max(reads)}"
        for name, users in sorted(kinds)
        if len(set(reads := [job.run.reads for job in jobs if (job.name, job.users) == (name, users)])) > 1
    ]
    span = sorted({job.others for job in jobs})
    if len(span) > 1:
        what = f"reads beside {span[0]:,} and {span[-1]:,} keys of other labs"
        yield Bar(what, "the same", "; ".join(grown) or "the same", not grown)
