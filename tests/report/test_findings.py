"""What the page says of differences: the head, findings and studies."""

import re
from pathlib import Path

import pandas as pd

from cifarbench.analysis.results import Results
from cifarbench.analysis.stats import Interval
from cifarbench.plan.plan import Plan
from cifarbench.report.answer import headline, summary
from cifarbench.report.contrasts import collapses, conclusion, finding
from cifarbench.report.page import render
from cifarbench.report.words import points
from helpers.page import Text, page_of
from helpers.synthetic import synthetic


def separable() -> tuple[Plan, pd.DataFrame]:
    """Results of which the two lower configurations differ from the two higher ones, and these do not."""
    plan, table = synthetic(seeds=5)
    seeds = table["config.seed"].astype(float) / 1000
    table["final.test.top1"] = 0.7 + seeds + 0.05 * (table["config.learning_rate"] > 0.003)
    table.loc[[0, 5, 12, 19], "final.test.top1"] += 0.002  # so that no difference is the same in all seeds
    return plan, table


def test_what_cannot_be_told_from_the_best_is_said() -> None:
    text = Text(page_of(*separable())).text
    assert "The most accurate is lenet5, learning rate 0.008: 75.2 ± 0.3 % of" in text
    following = "Next is lenet5, learning rate 0.004 with 75.2 ± 0.2 %; these seeds cannot separate the two"
    assert following in text
    assert "Both others are lower beyond seed noise." in text
    assert "“learning rate 0.008” has the highest mean." in text
    assert "Not told apart from it: “learning rate 0.004”." in text
    assert "differ by up to 0.5 points by chance" in text


def test_others_that_are_all_alike_are_told_in_one_word() -> None:
    for configurations, said in (
        (3, "The one other is"),
        (4, "Both others are"),
        (5, "All three others are"),
    ):
        plan, table = synthetic(configurations=configurations, seeds=3)
        table["final.test.top1"] = 0.7 + table["config.seed"].astype(float) / 1000
        [told] = [line for line in summary(Results(plan, table)) if "undecided" in line]
        assert told == f"{said} undecided."


def test_hours_of_training_are_told_in_the_unit_that_suits_them() -> None:
    plan, table = synthetic(configurations=2, seeds=3)  # six runs
    for seconds, said in ((1.5, "9.0 s"), (500.0, "50 min"), (6000.0, "10 h")):
        [_, (number, what)] = headline(Results(plan, table.assign(**{"seconds.total": seconds})))
        assert f"{number} {what}" == f"{said} of training in all"


def test_head_findings_study_and_table_say_the_same(tmp_path: Path) -> None:
    """Each difference that the page tells, wherever it stands, is that of one family of tests."""
    plan, table = separable()
    render(plan, table, tmp_path)
    page = (tmp_path / "index.html").read_text()
    rows = pd.read_csv(tmp_path / "tables/differences.csv")
    text = Text(page).text
    told = re.findall(r"\(([+-][\d.]+) points, ([+-][\d.]+) to ([+-][\d.]+)\)", text)
    numbers = rows[["difference (points)", "low", "high"]]
    known = {tuple(f"{value:+.1f}" for value in row) for row in numbers.itertuples(index=False)}
    assert len(told) >= 3  # in the head, in what the study found, and on a card
    assert set(told) <= known
    assert rows["told apart"].tolist() == ["no", "yes", "yes"]
    assert re.findall("<td>(yes|no)</td>", page[page.index("Differences, tested") :]) == ["no", "yes", "yes"]
    ranks = pd.read_csv(tmp_path / "tables/configurations.csv")["configuration"].tolist()
    assert re.findall(r"<summary>(lenet5, learning rate [\d.]+)", page) == ranks
    assert f"The most accurate is {ranks[0]}: " in text
    assert f"Next is {ranks[1]} " in text


def test_an_unrelated_study_changes_no_decision_of_the_head() -> None:
    plan, table = separable()
    more_plan, more = synthetic(configurations=4, seeds=5, studies=2)
    more["final.test.top1"] = 0.3 + more["config.seed"] / 1000
    more.iloc[:20, more.columns.get_loc("final.test.top1")] = table["final.test.top1"].to_numpy()
    for made in ((plan, table), (more_plan, more)):
        text = Text(page_of(*made)).text
        assert "learning rate 0.008" in text.split("Next is")[0]
        assert "these seeds cannot separate the two" in text


def test_the_two_best_are_compared_image_by_image() -> None:
    plan, table = synthetic()
    assert "McNemar" not in Text(page_of(plan, table)).text
    order = table.groupby("configuration")["final.test.top1"].mean().sort_values().index
    bits = {order[-1]: bytes([0b11111100]), order[-2]: bytes([0b11000011])}
    table["correct"] = [bits.get(key, bytes([0])) for key in table["configuration"]]
    text = Text(page_of(plan, table)).text
    assert "4 are right only with learning rate " in text
    assert "(McNemar's exact test, p 0.69)" in text


def test_data_sets_are_not_ranked_together() -> None:
    plan, table = synthetic()
    table.loc[table["config.learning_rate"] > 0.003, "data.name"] = "digits"
    text = Text(page_of(plan, table)).text
    assert "The most accurate on cifar10 is " in text
    assert "The most accurate on digits is " in text
    assert text.count("Most accurate") == 2
    # Nor tested together: each data set has its own family, study and cost.
    assert text.count("The 2 configurations of the data set are one family") == 2
    for name in ("cifar10", "digits"):
        assert f"Rates ({name})" in text
        assert f"Accuracy against cost ({name})" in text


def test_each_study_says_what_it_found() -> None:
    plan, table = synthetic(seeds=5)
    text = Text(page_of(plan, table)).text
    assert "Rates No difference between 4 configurations is beyond seed noise. 20 of 20 yes" in text
    table["final.test.top1"] = 0.5 + 10 * table["config.learning_rate"] + table["config.seed"] / 1000
    text = Text(page_of(plan, table)).text
    beats = "“learning rate 0.008” beats “learning rate 0.001” (+7.0 points, +6.6 to +7.4)."
    assert f"Rates {beats} 20 of 20 yes" in text
    assert "each of the others is lower beyond seed noise" in text


def test_with_one_seed_nothing_is_said_to_be_noise() -> None:
    text = Text(page_of(*synthetic(seeds=1))).text
    assert "Rates Too few seeds to compare 4 configurations. 4 of 4 not yet" in text
    assert "fewer than three seeds of each tell nothing about the difference" in text
    assert "beyond seed noise" not in text.split("What each study found")[0]


def test_that_there_are_too_few_seeds_is_said_once() -> None:
    plan, table = synthetic(seeds=1)
    [study] = Results(plan, table.assign(**{"config.model": ["a", "a", "b", "b"]})).studies
    assert conclusion(study) == ["Too few seeds to compare 4 configurations."]


def test_what_has_too_few_seeds_is_not_said_to_be_alike() -> None:
    plan, table = synthetic(seeds=3)
    table["final.test.top1"] = 0.7 + table["config.seed"].astype(float) / 100
    lone = table["config.learning_rate"] == 0.001
    table.loc[lone, "final.test.top1"] = 0.1
    table.loc[lone & (table["config.seed"] > 0), "status"] = "missing"
    [study] = Results(plan, table).studies
    assert finding(study) == (
        "No difference between 3 configurations is beyond seed noise; one has too few seeds."
    )
    alike, untested = conclusion(study)[1:3]
    assert alike == "Not told apart from it: “learning rate 0.004” and “learning rate 0.008”."
    assert untested == "With too few seeds to be compared: “learning rate 0.001”."
    table.loc[~lone & (table["config.seed"] > 1), "status"] = "missing"
    [study] = Results(plan, table).studies
    assert conclusion(study)[0] == finding(study) == "Too few seeds to compare 4 configurations."


def test_an_interval_shows_on_which_side_of_zero_it_ends() -> None:
    """Else "beats" would stand beside an interval that seems to hold zero."""
    assert points(Interval(0.047, 0.0004, 0.0936)) == "+4.7 points, +0.04 to +9.4"
    assert points(Interval(-0.0001, -0.02, 0.00004)) == "+0.0 points, -2.0 to +0.004"
    assert points(Interval(0.0, 0.0, 0.0)) == "+0.0 points, +0.0 to +0.0"


def test_a_study_of_one_configuration_names_what_collapsed_there() -> None:
    plan, table = synthetic(configurations=1, seeds=5, studies=3)
    table["final.test.top1"] = [0.7, 0.71, 0.2, 0.69, 0.7] + [0.7, 0.71, 0.7, 0.69, 0.7] * 2
    text = Text(page_of(plan, table)).text
    assert "one of five runs collapsed (seed 2: 20.0 %); the others reach 69.0 % to 71.0 %." in text
    assert "The median of all is 70.0 %, their mean 60.0 %." in text


def test_what_scatters_like_others_of_its_model_has_not_collapsed() -> None:
    plan, table = synthetic(configurations=7, seeds=5)
    spread = [0.02] * 15 + [0.0005] * 20  # of three configurations, and of four
    table["final.test.top1"] = 0.7 + spread * (table["config.seed"] - 2)
    assert len(collapses(Results(plan, table).studies[0])) == 4  # beside what is typical of all seven
    table["config.model"] = ["noisy"] * 15 + ["quiet"] * 20
    assert collapses(Results(plan, table).studies[0]) == []
    table.loc[[0, 34], "final.test.top1"] = [0.5, 0.6]
    told = collapses(Results(plan, table).studies[0])
    assert "one of five runs collapsed (seed 0: 50.0 %)" in told[0]
    assert "one of five runs collapsed (seed 4: 60.0 %)" in told[1]


def test_two_seeds_are_told_as_they_are() -> None:
    plan, table = synthetic(configurations=2, seeds=2)
    table["final.test.top1"] = [0.39, 0.97, 0.5, 0.51]
    text = Text(page_of(plan, table)).text
    assert "39.0 and 97.0 %" in text
    assert "fewer than three seeds of each tell nothing about the difference" in text


def test_steps_are_compared_each_with_the_one_before() -> None:
    plan, table = synthetic(seeds=5)
    steps = plan.studies[0].model_copy(update={"compare": "previous"})
    table["final.test.top1"] = [0.5, 0.501, 0.502, 0.503, 0.504] * 4
    table.loc[table["config.learning_rate"] > 0.003, "final.test.top1"] += 0.05
    table.loc[table["config.learning_rate"] == 0.008, "final.test.loss"] += 0.5
    table.loc[table["config.learning_rate"] == 0.002, "final.test.loss"] = table["final.test.loss"][
        :5
    ].tolist()
    table.loc[table["config.learning_rate"] == 0.001, "final.test.loss"] = table["final.test.loss"][
        :5
    ].tolist()
    text = Text(page_of(plan.model_copy(update={"studies": [steps]}), table)).text
    assert "“learning rate 0.002” and “learning rate 0.001” are the same experiment" in text
    assert "“learning rate 0.004” beats “learning rate 0.002” (+5.0 points," in text
    assert "“learning rate 0.008” and “learning rate 0.004” cannot be told apart (+0.0 points," in text


def test_a_grid_over_models_compares_within_each() -> None:
    plan, table = synthetic(seeds=5)
    table["config.model"] = ["a"] * 10 + ["b"] * 10
    table["final.test.top1"] = 0.5 + table["config.seed"] / 1000
    table.loc[10:, "final.test.top1"] += 0.2
    table.loc[5:9, "final.test.top1"] += 0.03
    table["final.test.loss"] = table.index / 10  # else equal accuracies would be the same runs
    text = Text(page_of(plan, table)).text
    assert "“learning rate 0.002” beats “learning rate 0.001” (+3.0 points," in text
    assert "“learning rate 0.004” and “learning rate 0.008” cannot be told apart" in text
    assert "beats “learning rate 0.002”" not in text


def test_a_study_has_all_seeds_of_its_configurations() -> None:
    """A configuration may have more seeds in another study; both say the same of it."""
    plan, table = synthetic(configurations=3, seeds=3)
    [study] = plan.studies
    fewer = [run for run in study.runs if not run.endswith("s2")]
    shorter = study.model_copy(update={"name": "short", "title": "Short", "runs": fewer})
    both = plan.model_copy(update={"studies": [study, shorter]})
    text = Text(page_of(both, table)).text
    assert "would do" not in text


def test_less_time_is_told_only_where_times_do_not_overlap() -> None:
    plan, table = synthetic(configurations=2)
    table["final.test.top1"] = [0.7, 0.702, 0.701, 0.705, 0.706, 0.704]
    table["seconds.train"] = [20.0, 20.0, 99.0, 63.0, 99.0, 80.0]
    assert "Best for little" not in Text(page_of(plan, table)).text
    table["seconds.train"] = [10.0, 20.0, 30.0, 63.0, 99.0, 80.0]
    text = Text(page_of(plan, table)).text
    assert "in about 20 s (10 to 30): four times faster than the most accurate, for 0.4 points less." in text


def test_a_warning_names_what_collapses_or_else_what_costs_most() -> None:
    plan, table = separable()
    text = Text(page_of(plan, table)).text
    assert "Not this lenet5, learning rate 0.00" in text
    assert "where lenet5, learning rate 0.008 reaches 75.2 %" in text
    table.loc[[0, 1], "final.test.top1"] = [0.3, 0.2]
    text = Text(page_of(plan, table)).text
    assert "Not this lenet5, learning rate 0.001 Two of five runs collapsed to 30.0 % and 20.0 %" in text


def test_no_card_warns_of_what_another_advises() -> None:
    plan, table = synthetic(configurations=3)
    table["final.test.top1"] = [0.9, 0.1, 0.1, 0.5, 0.501, 0.502, 0.4, 0.41, 0.42]
    text = Text(page_of(plan, table)).text
    assert "Not this lenet5, learning rate 0.001 Two of three runs collapsed" in text
    assert "Best for little" not in text  # the same would be the fastest
    assert "The one other is undecided. 9 runs of 3 configurations on" in text
    assert "; 9 runs are planned." in text
    table["final.test.top1"] = [0.3, 0.301, 0.302, 0.5, 0.501, 0.502, 0.6, 0.601, 0.602]
    table["seconds.train"] = [1.0, 1.1, 1.2, 9.0, 9.1, 9.2, 9.5, 9.6, 9.7]
    text = Text(page_of(plan, table)).text
    assert "Best for little lenet5, learning rate 0.001 30.1 ± 0.2 %" in text
    assert "Not this lenet5, learning rate 0.002 50.1 %" in text
