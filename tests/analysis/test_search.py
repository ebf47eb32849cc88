"""What a search found, against what can be worked out by hand."""

import itertools

import numpy as np
import pandas as pd
import pytest

from cifarbench.analysis import search
from cifarbench.analysis.configuration import Configuration


def configurations(**columns: list[object]) -> list[Configuration]:
    rows = pd.DataFrame(columns).to_dict("records")
    return [Configuration(str(n), str(n), pd.DataFrame([row]), {}) for n, row in enumerate(rows)]


@pytest.mark.parametrize("values", [[0.5, 0.6, 0.9, 0.7], [0.5, 0.5, 0.6], [0.4]])
def test_the_best_of_k_draws_is_that_of_all_ways_to_draw(values: list[float]) -> None:
    found = search.best_of("", np.array(values))
    for k, (mean, deviation) in enumerate(zip(found.mean, found.deviation, strict=True), 1):
        best = [max(draws) for draws in itertools.product(values, repeat=k)]
        assert mean == pytest.approx(np.mean(best))
        assert deviation == pytest.approx(np.std(best), abs=1e-12)


def test_a_knob_that_decides_explains_nearly_all_and_one_that_does_not_nothing() -> None:
    random = np.random.default_rng(0)
    rate, other = 10 ** random.uniform(-4, -1, 60), random.uniform(0, 1, 60)
    kind = random.choice(["a", "b"], 60)
    accuracy = 0.9 - 0.1 * (np.log10(rate) + 2.5) ** 2 + 0.001 * random.standard_normal(60)
    columns = {"config.learning_rate": rate, "config.dropout": other, "config.optimizer": kind}
    members = configurations(**columns, **{"final.test.top1": accuracy})
    found = search.importance(members, ["learning_rate", "dropout", "optimizer"], "test")
    assert found is not None and found.trust > 0.8
    assert found.shares["learning_rate"] > 0.9
    assert max(found.shares["dropout"], found.shares["optimizer"]) < 0.02


def test_nothing_explains_noise() -> None:
    random = np.random.default_rng(1)
    columns = {"config.dropout": random.uniform(0, 1, 30), "final.test.top1": random.uniform(0.5, 0.6, 30)}
    found = search.importance(configurations(**columns), ["dropout"], "test")
    assert found is not None and found.trust < 0.1


@pytest.mark.parametrize("accuracies", [[0.5] * 9, [0.1, 0.2, 0.3]])
def test_too_few_or_equal_ones_tell_nothing(accuracies: list[float]) -> None:
    columns = {"config.dropout": np.linspace(0, 1, len(accuracies)), "final.test.top1": accuracies}
    assert search.importance(configurations(**columns), ["dropout"], "test") is None


def test_validation_images_are_what_chooses_if_all_have_some() -> None:
    both = {"final.test.top1": [0.5, 0.6], "final.validation.top1": [0.55, 0.65]}
    assert search.held_out(configurations(**both)) == "validation"
    assert search.held_out(configurations(**{**both, "final.validation.top1": [0.55, None]})) == "test"
    assert search.held_out(configurations(**{"final.test.top1": [0.5]})) == "test"
