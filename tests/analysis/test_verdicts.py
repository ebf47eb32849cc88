"""Verdicts: each rule on made-up seeds whose outcome is plain, and figures from the right place."""

from pathlib import Path
from typing import Any

import pytest

from cifarbench.analysis.verdicts import counts, judge, judge_all, text_table
from cifarbench.cli.parser import main
from cifarbench.plan.claims import Artefact, Claim, Statement
from helpers.claims import claim, quantity, with_claims
from helpers.synthetic import synthetic

NOISE = (0.0, 0.004, -0.003, 0.002, -0.001)


def rows(**means: float) -> dict[str, list[dict[str, Any]]]:
    """Return five seeds around each mean; every configuration has noise of its own."""
    return {
        name: [
            {
                "status": "completed",
                "config.seed": seed,
                "final.test.top1": mean + NOISE[(seed * (1 + place)) % 5],
                "seconds.train": mean * 10 + NOISE[(seed * (1 + place)) % 5],
                "environment.device_name": "Synthetic Processor",
                "environment.threads": 1,
                "epochs": [],
            }
            for seed in range(5)
        ]
        for place, (name, mean) in enumerate(means.items())
    }


@pytest.mark.parametrize(
    ("published", "tolerance", "outcome"),
    [
        (0.705, 0.0, "holds"),
        (0.72, 0.0, "does not hold"),
        (0.72, 0.02, "holds"),
        (0.68, 0.0, "does not hold"),
    ],
)
def test_a_value_holds_if_one_further_run_could_give_it(
    published: float, tolerance: float, outcome: str
) -> None:
    judged = judge(claim("value", "a", published=[published], tolerance=tolerance), rows(a=0.7))
    assert judged.outcome == outcome
    assert judged.seeds == 5
    assert judged.measured == [pytest.approx(0.7004)]
    assert "19 of 20 further runs would fall between 69.2 % and 70.9 %" in judged.reason


def test_an_interval_that_spans_everything_confirms_nothing() -> None:
    scattered = rows(a=0.5)
    scattered["a"][0]["final.test.top1"] = 0.1
    assert judge(claim("value", "a", published=[0.5]), scattered).outcome == "within seed noise"
    assert judge(claim("value", "a", published=[5.0]), scattered).outcome == "does not hold"


@pytest.mark.parametrize(
    ("a", "b", "c", "outcome"),
    [(0.8, 0.7, 0.6, "holds"), (0.8, 0.6, 0.7, "does not hold"), (0.8, 0.7, 0.7, "within seed noise")],
)
def test_an_order_holds_if_every_step_is_beyond_noise(a: float, b: float, c: float, outcome: str) -> None:
    assert judge(claim("order", "a", "b", "c"), rows(a=a, b=b, c=c)).outcome == outcome


@pytest.mark.parametrize(
    ("b", "tolerance", "outcome"),
    [(0.701, 0.01, "holds"), (0.701, 0.003, "within seed noise"), (0.75, 0.01, "does not hold")],
)
def test_equality_holds_within_its_tolerance(b: float, tolerance: float, outcome: str) -> None:
    assert judge(claim("equal", "a", "b", tolerance=tolerance), rows(a=0.7, b=b)).outcome == outcome


def test_an_artefact_needs_its_own_evidence() -> None:
    because = "of that"
    statement = Statement(kind="order", quantities=[quantity("sound"), quantity("a")])
    asked = claim("value", "a", published=[0.7], artefact=Artefact(because=because, evidence=statement))
    explained = judge(asked, rows(a=0.7, sound=0.8))
    assert explained.outcome == "artefact"
    assert explained.reason.startswith("of that (difference by seed: +")
    assert judge(asked, rows(a=0.7, sound=0.6)).outcome == "holds"
    unknown = judge(asked, rows(a=0.7))
    assert unknown.outcome == "holds"
    assert unknown.reason.endswith("whether it is an artefact has not been run")


def test_runs_that_end_alike_show_that_a_change_did_nothing() -> None:
    same = rows(a=0.7)
    same["b"] = same["a"]
    evidence = Statement(kind="equal", quantities=[quantity("a"), quantity("b")])
    asked = claim("order", "b", "a", artefact=Artefact(because="it never fires", evidence=evidence))
    assert judge(asked, same).outcome == "artefact"
    same["b"] = rows(x=0.7, b=0.7)["b"]
    assert judge(asked, same).outcome == "within seed noise"


def test_a_published_difference_stands_beside_the_noise_of_single_seeds() -> None:
    judged = judge(claim("order", "a", "b", published=[0.72, 0.71]), rows(a=0.7, b=0.7))
    # Both have the standard deviation of NOISE, 0.27 points; 1.96 times the root of two is 2.77.
    assert "; published +1.0, where two single seeds differ by up to 0.8 in 19 of 20 cases" in judged.reason


def test_what_has_not_run_is_said() -> None:
    assert judge(claim("order", "a", "b"), rows(a=0.7)).reason == "no record of b"
    one = {"a": rows(a=0.7)["a"][:1]}
    assert judge(claim("value", "a", published=[0.7]), one).outcome == "too few seeds"
    apart = {"a": rows(a=0.7)["a"][:2], "b": rows(b=0.7)["b"][2:4]}
    assert judge(claim("order", "a", "b"), apart).outcome == "too few seeds"
    missing = {"a": [{**row, "status": "missing"} for row in rows(a=0.7)["a"]]}
    assert judge(claim("value", "a", published=[0.7]), missing).outcome == "not run"


def test_times_are_compared_on_the_same_hardware_only() -> None:
    statement = Statement(kind="order", quantities=[quantity(name, metric="seconds") for name in "ab"])
    asked = Claim(id="c", source="s", says="w", statement=statement)
    timed = rows(a=0.8, b=0.7)
    assert judge(asked, timed).outcome == "holds"
    timed["b"][0]["environment.threads"] = 2
    assert judge(asked, timed).outcome == "not run"
    assert "different hardware" in judge(asked, timed).reason


def test_the_verb_prints_each_claim_and_counts_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, table = synthetic()
    plan = with_claims(plan)
    (tmp_path / "plan.json").write_text(plan.model_dump_json())
    table.to_parquet(tmp_path / "runs.parquet")
    assert main(["claims", str(tmp_path / "plan.json"), str(tmp_path / "runs.parquet")]) == 0
    said = capsys.readouterr().out
    verdicts = judge_all(plan, table)
    assert said.strip() == text_table(verdicts)
    assert said.splitlines()[0].startswith(verdicts[0].outcome.upper())
    assert said.splitlines()[-1].startswith("2 claims: ")
    assert counts(verdicts)["not run"] == 1
