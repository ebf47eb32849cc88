"""Accuracy on other images, as the page has it: by data set, by corruption and by severity."""

import pandas as pd
import pytest

from cifarbench.analysis.configuration import configuration
from cifarbench.analysis.results import Results
from cifarbench.analysis.shift import margin, shifted
from cifarbench.plan.plan import Plan
from cifarbench.report.section import all_sections
from helpers.page import Text, page_of
from helpers.synthetic import synthetic

GROUPS = {"fog/1": 0.9, "fog/2": 0.7, "snow/1": 0.5, "snow/2": 0.1}


def made(seeds: int = 3) -> tuple[Plan, pd.DataFrame]:
    """Return two configurations of which the first was tested on others' images, in groups, a point better
    by seed."""
    plan, table = synthetic(configurations=2, seeds=seeds)

    def tests(seed: int) -> list[dict[str, object]]:
        groups = [{"name": name, "images": 10, "top1": top1 + seed / 100} for name, top1 in GROUPS.items()]
        whole = {"name": "cifar10_c", "images_sha256": "e" * 64, "images": 40, "loss": 1.0}
        plain = {"name": "mine", "images_sha256": "f" * 64, "images": 40, "loss": None, "top1": 0.25}
        return [{**whole, "top1": 0.55 + seed / 100, "groups": groups}, plain]  # `mine` is an older one

    table["final.extra_tests"] = [tests(n) if n < seeds else [] for n in range(2 * seeds)]
    return plan, table


def test_accuracies_are_means_over_runs_and_over_groups() -> None:
    _, table = made()
    found = shifted(configuration("k", "K", table[:3]))
    assert found.tests["cifar10_c"].centre == pytest.approx(0.56)
    assert found.tests["mine"].values == [0.25] * 3
    assert found.groups.keys() == {"cifar10_c"}
    assert margin(found.groups["cifar10_c"], 0) == pytest.approx({"fog": 0.81, "snow": 0.31})
    assert margin(found.groups["cifar10_c"], 1) == pytest.approx({"1": 0.71, "2": 0.41})
    assert shifted(configuration("k", "K", table[3:])).tests == {}


def test_the_page_has_a_table_of_each() -> None:
    plan, table = made()
    [section] = [section for section in all_sections(Results(plan, table)) if section.block == "shift"]
    [(label, _, others)] = section.content["rows"]  # the other configuration was tested on none
    assert others[0].startswith("56.0 ± ") and others[1].startswith("25.0")
    [corruptions, severities] = section.content["groups"]
    assert corruptions == ("cifar10_c, by corruption", ["fog", "snow"], [(label, ["81.0 %", "31.0 %"])])
    assert severities == ("cifar10_c, by severity", ["1", "2"], [(label, ["71.0 %", "41.0 %"])])
    assert "cifar10_c, by corruption" in Text(page_of(plan, table)).text


def test_without_extra_tests_there_is_nothing_to_say() -> None:
    plan, table = synthetic(configurations=2)
    assert not any(section.block == "shift" for section in all_sections(Results(plan, table)))
