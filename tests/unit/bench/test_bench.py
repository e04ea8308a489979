# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The conclusions that `make bench` draws from its measurements: a bar that cannot be missed proves nothing."""

from __future__ import annotations

import pytest

for tool in ("psycopg", "aiosmtpd"):
    pytest.importorskip(tool, reason="this is about what `make bench` runs with, and the tools for other releases of ansible-core lack it")

from ansible_collections.rhpds.litellm_virtual_keys.tests.bench.bench import Run, covered, numbers, one_more
from ansible_collections.rhpds.litellm_virtual_keys.tests.bench.cases import lab_life, request_pass


def run(**measured: float) -> Run:
    usual = {"wall": 1.0, "cpu": 1.0, "module": 0.5, "megabytes": 100.0, "changed": 0, "reads": 2, "writes": 0, "probes": 0, "gateway": 0.2}
    return Run(**{**usual, **measured}, exchanges=[], output="")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spans", "seconds"),
    [([], 0), ([(1, 2)], 1), ([(1, 3), (2, 4)], 3), ([(2, 4), (1, 8)], 7), ([(1, 2), (5, 6)], 2), ([(1, 9), (2, 3), (4, 5)], 8)],
)
def test_time_under_way_counts_once(spans: list[tuple[float, float]], seconds: float) -> None:
    assert covered(spans) == seconds


def test_the_cost_of_one_more() -> None:
    large = run(wall=11, cpu=3, gateway=4.2, megabytes=101)
    assert one_more(run(), large, 100) == pytest.approx([100, 40, 20, 10])


def test_numbers() -> None:
    assert numbers("20,1,20") == [1, 20]


@pytest.mark.parametrize(
    ("walls", "megabytes", "met"),
    [
        ((15, 25, 45), (100, 110, 130), [True, True]),
        ((15, 25, 64), (100, 110, 200), [False, False]),
        ((15, 25, 45), (110, 100, 125), [True, True]),
    ],
)
def test_a_pass_whose_cost_grows_faster_than_its_requests_misses_the_bar(walls: tuple[float, ...], megabytes: tuple[float, ...], met: list[bool]) -> None:
    passes = [
        request_pass.Pass("file", pending, run(wall=wall, megabytes=held), 1.0, 1.0, 1)
        for pending, wall, held in zip((125, 250, 500), walls, megabytes, strict=True)
    ]
    assert [each.met for each in request_pass.bars(passes) if "one more" in each.what] == met
    assert not [each for each in request_pass.bars(passes[:2]) if "one more" in each.what], "two sizes show no growth"
    assert {each.met for each in request_pass.bars(passes) if "floor" in each.what} == {False}


def test_bars_of_a_labs_life_are_missed_by_a_call_a_key_and_a_second() -> None:
    def job(name: str, **more: float) -> lab_life.Job:
        given = {
            "others": 0,
            "users": 20,
            "times": 1,
            "idle": 0.1,
            **{key: more.pop(key) for key in list(more) if key in ("others", "left", "bare", "users")},
        }
        return lab_life.Job(name=name, run=run(**more), **given)  # type: ignore[arg-type]

    good = [
        job("provision", wall=3.9, reads=3, writes=20),
        job("again", reads=2),
        job("destroy", others=1000, reads=5, writes=1, probes=40, wall=4.6),
    ]  # two reads are for the receipt
    assert all(each.met for each in lab_life.bars(good))
    bad = [
        job("provision", wall=4.0, reads=5, writes=21),
        job("provision", others=1000, reads=9, writes=21),
        job("again", reads=3, writes=1, changed=1),
        job("destroy", others=1000, reads=6, writes=2, left=1, wall=4.7),
        job("extend", users=100, bare=1.0, wall=9.0),
    ]
    assert not any(each.met for each in lab_life.bars(bad))
