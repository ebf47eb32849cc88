"""Verdicts: each rule on made-up seeds whose outcome is plain, and both fields apart."""

from pathlib import Path
from typing import Any

import pytest

from cifarbench.analysis.judged import judge_plan, text_table
from cifarbench.analysis.verdicts import Evidence, counts, judge, wrong_by_chance
from cifarbench.cli.parser import main
from cifarbench.plan.claims import Explanation
from cifarbench.plan.published_tables import Copy
from helpers.claims import claim, quantity, statement, with_claims
from helpers.synthetic import synthetic

NOISE = (0.0, 0.004, -0.003, 0.002, -0.001)
IMAGES = "b" * 64


def rows(seeds: int = 5, noise: float = 1, **means: float) -> dict[str, list[dict[str, Any]]]:
    """Return seeds around each mean; every configuration has noise of its own."""
    return {
        name: [
            {
                "status": "completed",
                "config.seed": seed,
                "final.test.top1": mean + noise * NOISE[(seed * (1 + place)) % 5],
                "final.test.images": 10_000,
                "seconds.train": mean * 10 + NOISE[(seed * (1 + place)) % 5],
                "environment.device_name": "Synthetic Processor",
                "environment.threads": 1,
                "data.images_sha256": IMAGES,
                "epochs": [],
            }
            for seed in range(seeds)
        ]
        for place, (name, mean) in enumerate(means.items())
    }


def outcome(asked: Any, found: dict[str, list[dict[str, Any]]], **facts: Any) -> str:
    return judge(asked, Evidence(found, **facts)).outcome


@pytest.mark.parametrize(
    ("published", "tolerance", "expected"),
    [
        (0.705, (0.0, 0.0), "reproduced"),
        (0.72, (0.0, 0.0), "differs"),
        (0.72, (0.02, 0.0), "reproduced"),
        (0.72, (0.0, 0.02), "differs"),
        (0.68, (0.0, 0.0), "differs"),
        (0.69, (0.0, 0.01), "reproduced"),
    ],
)
def test_a_value_is_reproduced_if_one_further_run_could_give_it(
    published: float, tolerance: tuple[float, float], expected: str
) -> None:
    asked = claim("value", "a", published=[published], tolerance=tolerance, margin=0.01)
    judged = judge(asked, Evidence(rows(a=0.7)))
    assert judged.outcome == expected
    assert judged.seeds == 5
    assert judged.measured == [pytest.approx(0.7004)]
    assert "one further run would fall between 69.2 % and 70.9 % in 19 of 20 cases, p" in judged.ruling.reason


def test_what_is_not_known_to_within_the_margin_is_undecided() -> None:
    asked = claim("value", "a", published=[0.7], margin=0.005)
    judged = judge(asked, Evidence(rows(a=0.7)))
    assert judged.outcome == "undecided"
    assert judged.ruling.seeds_needed is None  # one run alone scatters more
    wider = judge(claim("value", "a", published=[0.7], margin=0.0075), Evidence(rows(a=0.7)))
    assert wider.outcome == "undecided"
    assert wider.ruling.seeds_needed is not None
    assert wider.ruling.seeds_needed > 5


def test_a_difference_within_the_margin_does_not_matter() -> None:
    exact = rows(a=0.7, noise=0.01)
    near = judge(claim("value", "a", published=[0.705], margin=0.02), Evidence(exact))
    assert near.outcome == "reproduced"
    assert near.ruling.reason.endswith(", all within 2.0 points of what was published")
    assert outcome(claim("value", "a", published=[0.705], margin=0.001), exact) == "differs"


def test_no_value_verdict_turns_on_what_the_copied_images_cost() -> None:
    copy = Copy(images_sha256=IMAGES, what="a copy", source="s", lower={"test_accuracy": 0.0175})
    for published, margin, plain, copied in (
        (0.7085, 0.02, "reproduced", "reproduced"),
        (0.7, 0.01, "reproduced", "undecided"),
        (0.72, 0.01, "differs", "undecided"),
        (0.75, 0.01, "differs", "differs"),
        (0.65, 0.01, "differs", "differs"),
    ):
        asked = claim("value", "a", published=[published], margin=margin)
        assert outcome(asked, rows(a=0.7)) == plain
        assert outcome(asked, rows(a=0.7), copies=[copy]) == copied
    told = judge(claim("value", "a", published=[0.72], margin=0.01), Evidence(rows(a=0.7), [copy]))
    assert told.ruling.reason.endswith("it turns on the 1.8 points that the copied images cost; on a copy")
    other = Copy(images_sha256="another", what="a copy", source="s", lower={"test_accuracy": 0.0175})
    assert (
        outcome(claim("value", "a", published=[0.72], margin=0.01), rows(a=0.7), copies=[other]) == "differs"
    )


@pytest.mark.parametrize(
    ("a", "b", "c", "expected"),
    [(0.8, 0.7, 0.6, "reproduced"), (0.8, 0.6, 0.7, "differs"), (0.8, 0.7, 0.7, "undecided")],
)
def test_an_order_is_reproduced_if_every_step_shows(a: float, b: float, c: float, expected: str) -> None:
    assert outcome(claim("order", "a", "b", "c"), rows(a=a, b=b, c=c)) == expected


def test_an_order_may_ask_for_a_distance() -> None:
    found = rows(a=0.8, b=0.7)
    assert outcome(claim("order", "a", "b", margin=0.05), found) == "reproduced"
    assert outcome(claim("order", "a", "b", margin=0.1), found) == "undecided"
    assert outcome(claim("order", "a", "b", margin=0.15), found) == "differs"


def test_an_undecided_order_says_how_many_seeds_would_decide() -> None:
    judged = judge(claim("order", "a", "b"), Evidence(rows(a=0.702, b=0.7)))
    assert judged.outcome == "undecided"
    assert judged.ruling.seeds_needed is not None
    assert judged.ruling.seeds_needed > 5


def test_a_published_difference_stands_beside_ours() -> None:
    judged = judge(claim("order", "a", "b", published=[0.72, 0.71]), Evidence(rows(a=0.71, b=0.7)))
    assert "; published +1.0, inside that interval" in judged.ruling.reason
    judged = judge(claim("order", "a", "b", published=[0.8, 0.71]), Evidence(rows(a=0.71, b=0.7)))
    assert "; published +9.0, outside that interval" in judged.ruling.reason


@pytest.mark.parametrize(
    ("b", "margin", "expected"),
    [
        (0.701, 0.01, "reproduced"),
        (0.701, 0.003, "undecided"),
        (0.75, 0.01, "differs"),
        (0.65, 0.01, "differs"),
    ],
)
def test_equality_is_within_its_margin(b: float, margin: float, expected: str) -> None:
    assert outcome(claim("equal", "a", "b", margin=margin), rows(a=0.7, b=b)) == expected


@pytest.mark.parametrize(
    ("a", "expected"), [(0.65, "reproduced"), (0.7, "reproduced"), (0.71, "undecided"), (0.75, "differs")]
)
def test_no_gain_is_one_sided(a: float, expected: str) -> None:
    assert outcome(claim("no_gain", "a", "b", margin=0.01), rows(a=a, b=0.7)) == expected


def test_nor_a_verdict_that_all_lie_above_a_value() -> None:
    copy = Copy(images_sha256=IMAGES, what="a copy", source="s", lower={"test_accuracy": 0.0175})
    for b, plain, copied in (
        (0.72, "reproduced", "reproduced"),
        (0.69, "differs", "undecided"),
        (0.66, "differs", "differs"),
    ):
        asked = claim("above", "a", "b", published=[0.7])
        assert outcome(asked, rows(a=0.8, b=b)) == plain
        assert outcome(asked, rows(a=0.8, b=b), copies=[copy]) == copied
    told = judge(claim("above", "a", "b", published=[0.7]), Evidence(rows(a=0.8, b=0.69), [copy]))
    assert "it turns on the 1.8 points that the copied images cost; on a copy" in told.ruling.reason


def test_a_part_of_what_the_copied_images_cost_counts_too() -> None:
    copy = Copy(images_sha256=IMAGES, what="a copy", source="s", lower={"test_accuracy": 0.05})
    asked = claim("value", "a", published=[0.725], margin=0.001)  # 0.725 and 0.675 are both too far
    assert outcome(asked, rows(a=0.7), copies=[copy]) == "undecided"


@pytest.mark.parametrize(("b", "expected"), [(0.72, "reproduced"), (0.701, "undecided"), (0.68, "differs")])
def test_all_lie_above_a_value(b: float, expected: str) -> None:
    assert outcome(claim("above", "a", "b", published=[0.7]), rows(a=0.8, b=b)) == expected


def test_runs_that_end_alike_show_that_a_change_did_nothing() -> None:
    same = rows(a=0.7)
    same["b"] = same["a"]
    judged = judge(claim("order", "b", "a"), Evidence(same))
    assert judged.outcome == "differs"
    assert judged.ruling.reason == "the runs end alike to the bit in every seed"
    assert outcome(claim("equal", "b", "a", margin=0.001), same) == "reproduced"
    same["b"] = rows(x=0.7, b=0.7)["b"]
    assert outcome(claim("order", "b", "a"), same) == "undecided"


def test_two_figures_of_the_same_runs_are_compared_in_pairs() -> None:
    found = rows(a=0.7, noise=5)
    for row in found["a"]:
        test = row["final.test.top1"]
        row["epochs"] = [{"test_accuracy": test, "running_train_accuracy": test + 0.01}]
    of = [quantity("a", metric="train_accuracy"), quantity("a")]
    asked = claim("order", quantities=of, steps=[(0, 1)])
    assert outcome(asked, found) == "reproduced"


def explained(role: str, kind: str, *names: str, **settings: Any) -> Explanation:
    return Explanation(because="of that", role=role, statement=statement(kind, *names, **settings))


@pytest.mark.parametrize(
    ("sound", "support"),
    [
        (0.8, "supported"),  # the difference disappears
        (0.85, "supported"),  # it turns round
        (0.77, "supported"),  # 3 of 10 points are left
        (0.74, "not supported"),  # 6 of 10 are
        (0.7, "not supported"),
    ],
)
def test_without_its_cause_a_claim_fails_or_most_of_the_difference_goes(sound: float, support: str) -> None:
    asked = claim("order", "a", "b", explanation=explained("without", "order", "a", "sound"))
    judged = judge(asked, Evidence(rows(a=0.8, b=0.7, sound=sound)))
    assert judged.outcome == "reproduced"
    assert judged.explanation is not None
    assert judged.explanation[0] == support


@pytest.mark.parametrize(
    ("published", "sound", "support"),
    [
        (0.73, 0.707, "supported"),  # 3 points, then 0.7, which are equivalent
        (0.73, 0.73, "not supported"),  # 3 points still
        (0.712, 0.707, "untested"),  # 1.2 points did not matter as published either
    ],
)
def test_without_its_cause_a_difference_that_mattered_is_equivalent(
    published: float, sound: float, support: str
) -> None:
    explanation = explained("without", "order", "sound", "b").model_copy(update={"margin": 0.02})
    asked = claim("order", "a", "b", explanation=explanation)
    found = rows(a=published, b=0.7) | rows(noise=4, x=0, y=0, sound=sound)
    judged = judge(asked, Evidence(found))
    assert judged.outcome == "reproduced"
    assert judged.explanation is not None
    assert judged.explanation[0] == support


def test_what_is_not_reproduced_needs_no_explanation_of_why_it_looks_true() -> None:
    asked = claim("order", "a", "b", explanation=explained("without", "order", "a", "sound"))
    judged = judge(asked, Evidence(rows(a=0.7, b=0.8, sound=0.8)))
    assert (judged.outcome, judged.explanation) == (
        "differs",
        ("not supported", "the claim itself is not reproduced"),
    )
    undecided = judge(asked, Evidence(rows(a=0.7, b=0.7, sound=0.8)))
    assert undecided.explanation is not None
    assert undecided.explanation[0] == "untested"
    unknown = judge(asked, Evidence(rows(a=0.8, b=0.7)))
    assert (unknown.outcome, unknown.explanation) == ("reproduced", ("untested", "its runs are missing"))


@pytest.mark.parametrize(
    ("without", "sound", "support"),
    [(0.7, 0.75, "supported"), (0.7, 0.7, "not supported"), (0.75, 0.75, "not supported")],
)
def test_a_value_lies_outside_without_the_cause_and_inside_with_it(
    without: float, sound: float, support: str
) -> None:
    value = {"published": [0.75], "margin": 0.01}
    asked = claim("value", "a", explanation=explained("with", "value", "sound", **value), **value)
    judged = judge(asked, Evidence(rows(a=without, sound=sound)))
    assert judged.explanation is not None
    assert judged.explanation[0] == support
    flattered = claim("value", "sound", explanation=explained("without", "value", "a", **value), **value)
    judged = judge(flattered, Evidence(rows(a=without, sound=sound)))
    assert judged.explanation is not None
    assert judged.explanation[0] == support


def test_what_has_not_run_is_said() -> None:
    missing = judge(claim("order", "a", "b"), Evidence(rows(a=0.7)))
    assert missing.ruling == ("not run", "no record of b", None, None)
    few = judge(claim("value", "a", published=[0.7]), Evidence(rows(seeds=2, a=0.7)))
    assert (few.outcome, few.ruling.seeds_needed) == ("undecided", 3)


def test_times_are_not_tested_but_may_not_overlap() -> None:
    asked = claim("order", "a", "b", metric="seconds")
    timed = rows(a=0.8, b=0.7)
    assert outcome(asked, timed) == "reproduced"
    assert outcome(claim("order", "b", "a", metric="seconds"), timed) == "differs"
    timed["a"][0]["seconds.train"] = 7.0
    assert outcome(asked, timed) == "undecided"
    timed["a"][0] |= {"status": "diverged", "seconds.train": 0.1}  # it ended early
    assert outcome(asked, timed) == "reproduced"
    shared = {"a": timed["a"], "b": [row | {"times": "shared"} for row in timed["b"]]}
    ruling = judge(asked, Evidence(shared)).ruling
    assert (ruling.outcome, ruling.reason) == ("not run", "no time that may be ranked of b")
    timed["b"][0]["environment.threads"] = 2
    assert outcome(asked, timed) == "not run"
    assert "different hardware" in judge(asked, Evidence(timed)).ruling.reason


def test_diverged_runs_count_at_their_accuracy() -> None:
    found = rows(a=0.7)
    found["a"][0] |= {"status": "diverged", "final.test.top1": 0.1}
    assert judge(claim("value", "a", published=[0.7]), Evidence(found)).seeds == 5
    assert judge(claim("value", "a", published=[0.7]), Evidence(found)).measured == [pytest.approx(0.5804)]


def test_verdicts_that_chance_turns_are_said() -> None:
    outcomes = ["reproduced", "reproduced", "differs", "undecided", "not run"]
    assert wrong_by_chance(outcomes) == pytest.approx(0.15)  # type: ignore[arg-type]
    assert counts(outcomes)["reproduced"] == 2  # type: ignore[arg-type]


def test_the_verb_prints_each_claim_and_counts_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, table = synthetic()
    plan = with_claims(plan)
    ours = plan.claims[0].model_copy(update={"id": "ours", "ours": True})
    plan = plan.model_copy(update={"claims": [*plan.claims, ours]})
    (tmp_path / "plan.json").write_text(plan.model_dump_json())
    table.to_parquet(tmp_path / "runs.parquet")
    assert main(["claims", str(tmp_path / "plan.json"), str(tmp_path / "runs.parquet")]) == 0
    said = capsys.readouterr().out
    judged = judge_plan(plan, table)
    assert said.strip() == text_table(judged)
    assert said.splitlines()[0].startswith(judged.claims[0].outcome.upper())
    assert said.splitlines()[-1].startswith("2 verdicts: ")
    assert "(our question, not counted)" in said
    assert counts(judged.outcomes)["not run"] == 1


def test_no_claims_are_no_count_of_nothing() -> None:
    plan, table = synthetic()
    assert text_table(judge_plan(plan, table)) == "no verdict is counted: the plan has no claims of others"
