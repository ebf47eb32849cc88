"""Which seeds would decide what is open, what they cost, and the lines that train them."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from cifarbench.analysis.results import Results
from cifarbench.analysis.seeds import open_questions, study, text, together
from cifarbench.cli.parser import main
from cifarbench.config.benchmark import parse
from cifarbench.plan.plan import Plan, make_plan
from cifarbench.plan.stored import write_plan
from helpers.claims import claim
from helpers.synthetic import row, synthetic

NOISE = (0.01, -0.01, 0.0)


def results(*means: float, plan: Plan | None = None) -> Results:
    """Return three seeds of each configuration around its mean; each took an hour."""
    made, table = synthetic(configurations=len(means), seeds=len(NOISE))
    values = [mean + noise for mean in means for noise in NOISE]
    return Results(plan or made, table.assign(**{"final.test.top1": values, "seconds.total": 3600.0}))


def test_what_is_told_apart_is_no_question() -> None:
    assert open_questions(results(0.9, 0.5), 0.005) == []
    assert text(results(0.9, 0.5), 0.005, 20) == "nothing is undecided"


def test_a_table_without_a_record_leaves_all_open() -> None:
    plan, table = synthetic(seeds=3, status="missing")
    assert text(Results(plan, table), 0.005, 20) == "no run has a record yet, so nothing is told or open"


def test_an_open_pair_says_its_seeds_and_their_hours() -> None:
    [question] = open_questions(results(0.72, 0.7), 0.005)
    assert question.seeds is not None
    assert list(question.missing.values()) == [list(range(3, question.seeds))] * 2
    told = text(results(0.72, 0.7), 0.005, 20)
    runs = 2 * (question.seeds - 3)
    assert f"{question.seeds} seeds of each; {runs} more runs, about {runs}.0 h" in told


def test_a_difference_that_is_not_worth_telling_asks_for_more() -> None:
    close = results(0.7001, 0.7)
    [coarse], [fine] = (open_questions(close, smallest) for smallest in (0.02, 0.01))
    assert coarse.seeds is not None
    assert fine.seeds is not None
    assert coarse.seeds < fine.seeds
    [hopeless] = open_questions(close, 0.0001)
    assert (hopeless.seeds, hopeless.missing) == (None, {})
    assert "not decided by 1,000 seeds of each" in text(close, 0.0001, 20)


def test_a_pair_whose_seeds_would_have_shown_what_is_worth_telling_is_no_question() -> None:
    assert open_questions(results(0.7001, 0.7), 0.5) == []
    assert open_questions(results(0.7001, 0.7), 0.005) != []


def test_seeds_that_are_there_count_whatever_their_numbers() -> None:
    found = results(0.72, 0.7)
    found.table["config.seed"] = found.table["config.seed"].replace({0: 7})
    [question] = open_questions(found, 0.005)
    assert question.seeds is not None
    new = [0, *range(3, question.seeds + 1)]
    expected = [seed for seed in new if seed != 7][: question.seeds - 3]
    assert list(question.missing.values()) == [expected] * 2


def test_an_undecided_claim_is_a_question() -> None:
    plan, _ = synthetic(configurations=2, seeds=3)
    keys = list(dict.fromkeys(run.configuration for run in plan.runs))
    asked = plan.model_copy(update={"claims": [claim("order", *keys)]})
    found = [question.what for question in open_questions(results(0.705, 0.7, plan=asked), 0.005)]
    assert "claim c" in found


def test_the_lines_train_just_the_missing_seeds_whatever_the_defaults() -> None:
    found = results(0.72, 0.7, 0.5)
    wanted = together(open_questions(found, 0.005))
    defaults = {"learning_rate": 0.7, "epochs": 9, "seed": [1]}
    config = {"defaults": defaults, "studies": yaml.safe_load(study(found, wanted))}
    ids = {run.id for run in make_plan(parse(config)).runs}
    assert ids == {f"{key}-s{seed}" for key, seeds in wanted.items() for seed in seeds}


def test_the_verb_finds_the_plan_beside_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = results(0.72, 0.7)
    table: pd.DataFrame = made.table
    table.to_parquet(tmp_path / "runs.parquet")
    write_plan(made.plan, tmp_path / "plan.json")
    assert main(["seeds", str(tmp_path / "runs.parquet"), "--tell", "1"]) == 0
    assert "- name: more-seeds" in capsys.readouterr().out
    assert main(["seeds", str(tmp_path / "runs.parquet"), "--most", "3"]) == 0
    assert "none of them is decided by 3 seeds or fewer; see --most" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        main(["seeds", str(tmp_path / "runs.parquet"), "--tell", "0"])
    assert stop.value.code == 2
    assert "'0' is not allowed: it must be points of accuracy, between 0 and 100" in capsys.readouterr().err


def test_a_study_of_the_noise_itself_asks_for_no_seeds() -> None:
    axes = {"weights_seed": [0, 1], "order_seed": [0, 1]}
    plan = make_plan(parse({"studies": [{"name": "n", "title": "N", "runs": [axes | {"epochs": 2}]}]}))
    table = pd.json_normalize([row(plan, n, "completed", list("abcdefghij")) for n in range(4)], sep=".")
    assert open_questions(Results(plan, table), 0.005) == []
