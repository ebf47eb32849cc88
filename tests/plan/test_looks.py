"""Schedules of seeds: what a config may say, and what is wanted after each look."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from cifarbench.config.benchmark import parse
from cifarbench.config.schedule import schedule
from cifarbench.errors import UserError
from cifarbench.plan.looks import as_of, read_looks, stages, standing
from cifarbench.plan.packs import packs
from cifarbench.plan.plan import Look, Plan, make_plan, summary
from cifarbench.plan.stored import read_plan, read_whole_plan, write_plan

SEEDS = {"from": 3, "to": 12, "until": "decided"}


def plan_of(*runs: dict[str, Any], seed: Any = SEEDS, others: Sequence[dict[str, Any]] = ()) -> Plan:
    study = {"name": "s", "title": "S", "defaults": {"seed": seed}, "runs": list(runs)}
    return make_plan(parse({"defaults": {"dataset": "digits"}, "studies": [study, *others]}))


RATES = {"learning_rate": [0.1, 0.2]}


def seeds_of(plan: Plan) -> list[int]:
    keys = dict.fromkeys(run.configuration for run in plan.runs)
    return [sum(run.configuration == key for run in plan.runs) for key in keys]


@pytest.mark.parametrize(
    ("fewest", "most", "looks"),
    [(3, 12, (3, 5, 8, 12)), (3, 10, (3, 5, 8, 10)), (4, 5, (4, 5)), (5, 30, (5, 8, 12, 18, 27, 30))],
)
def test_each_look_has_half_as_many_seeds_again(fewest: int, most: int, looks: tuple[int, ...]) -> None:
    assert schedule({"from": fewest, "to": most, "until": "decided"}, "s").looks == looks


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"from": 2}, "seed.from: 2 is not allowed"),
        ({"to": 3}, "'to' must be more than 'from', not 3 after 3"),
        ({"to": 2000}, "seed.to: 2000 is not allowed"),
        ({"until": "tired"}, "seed.until: 'tired' is not allowed"),
        ({"unitl": "decided"}, "unitl"),
    ],
)
def test_a_wrong_schedule_names_its_part(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as error:
        plan_of(RATES, seed={**SEEDS, **change})
    assert message in str(error.value)
    assert "study 's'" in str(error.value)


def test_a_schedule_holds_for_a_whole_study() -> None:
    with pytest.raises(UserError, match="a schedule of seeds holds for a whole study"):
        plan_of({"learning_rate": 0.1}, {"learning_rate": 0.2, "seed": [0, 1]})
    assert plan_of({"learning_rate": 0.1, "seed": [4]}).studies[0].schedule == ()


def test_what_is_open_gets_the_seeds_of_the_next_look() -> None:
    plan = plan_of(RATES)
    first, second = plan.studies[0].labels
    assert seeds_of(plan) == [12, 12]
    assert "2 configurations, 24 runs at most" in summary(plan)
    assert seeds_of(as_of(plan, [])) == [3, 3]
    both, one, none = (Look(open={"s": keys}) for keys in ([first, second], [second], []))
    assert seeds_of(as_of(plan, [both])) == [5, 5]
    assert seeds_of(as_of(plan, [both, one])) == [5, 8]
    assert seeds_of(as_of(plan, [one, both])) == [8, 8]  # what was decided, and is no more, catches up
    assert seeds_of(as_of(plan, [both, one, one])) == [5, 12]
    assert as_of(plan, [both, none]).studies[0].runs == as_of(plan, [both]).studies[0].runs


def test_seeds_that_another_study_gives_are_always_wanted() -> None:
    other = {"name": "t", "title": "T", "runs": [{"learning_rate": 0.1, "seed": [0, 7]}]}
    plan = plan_of(RATES, others=[other])
    assert seeds_of(as_of(plan, [])) == [4, 3]
    assert sorted(stages(plan).values()) == [1] * 4 + [2] * 5 + [3] * 8


def test_looks_lie_beside_the_plan_until_it_holds_them(tmp_path: Path) -> None:
    plan = plan_of(RATES)
    first, _ = plan.studies[0].labels
    write_plan(plan, tmp_path / "plan.json")
    assert read_whole_plan(tmp_path / "plan.json") == plan
    assert read_plan(tmp_path / "plan.json") == as_of(plan, [])
    (tmp_path / "looks").mkdir()
    for number, keys in enumerate(([first], [], [first]), start=1):
        (tmp_path / f"looks/{number}.json").write_text(Look(open={"s": keys}).model_dump_json())
    assert len(read_looks(tmp_path)) == 2  # after one that found nothing open, what lies there is of before
    grown = read_plan(tmp_path / "plan.json")
    assert seeds_of(grown) == [5, 3]
    write_plan(grown, tmp_path / "published.json")
    assert read_plan(tmp_path / "published.json") == grown == standing(grown, tmp_path)
    (tmp_path / "looks/1.json").write_text("{")
    with pytest.raises(UserError, match=r"1\.json"):
        read_plan(tmp_path / "plan.json")


def test_a_plan_without_a_schedule_says_nothing_of_it(tmp_path: Path) -> None:
    plan = plan_of(RATES, seed=[0, 1])
    assert as_of(plan, [Look(open={"s": []})]) is plan
    write_plan(plan, tmp_path / "plan.json")
    assert "schedule" not in (tmp_path / "plan.json").read_text()
    assert "looks" not in (tmp_path / "plan.json").read_text()


def test_all_runs_of_a_pack_are_wanted_or_none() -> None:
    plan = plan_of(RATES)
    first, second = plan.studies[0].labels
    looks = [Look(open={"s": [first]}), Look(open={"s": [first]}), Look(open={"s": [first]})]
    found = packs(plan.runs, 4, stages(plan))
    for number in range(4):
        wanted = {run.id for run in as_of(plan, looks[:number]).runs}
        for pack in found.values():
            assert wanted.issuperset(pack) or wanted.isdisjoint(pack)
    assert any(run.startswith(first) for run in found[next(iter(found))])
    assert any(run.startswith(second) for pack in found.values() for run in pack)
