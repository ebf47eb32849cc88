"""Made-up results in the shape of real ones, for tests of what comes after training."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cifarbench.config.benchmark import parse
from cifarbench.plan.plan import Plan, make_plan
from cifarbench.records.record import (
    Code,
    DataFacts,
    Environment,
    Epoch,
    Evaluation,
    Final,
    ModelFacts,
    Record,
    Seconds,
)


def synthetic(
    configurations: int = 4,
    seeds: int = 3,
    studies: int = 1,
    epochs: int = 4,
    classes: list[str] | None = None,
    status: str | dict[int, str] = "completed",
    title: str = "Synthetic",
    question: str = "Does the learning rate matter?",
) -> tuple[Plan, pd.DataFrame]:
    """Return a plan and its table. `status` is that of all runs, or of some by position."""
    rates = [float(f"{0.001 * 2 ** (k * min(1, 6 / configurations)):.5g}") for k in range(configurations)]
    runs = {"learning_rate": rates, "seed": list(range(seeds)), "epochs": epochs}
    parts = [
        {
            "name": f"rates-{n}" if n else "rates",
            "title": f"Rates {n}" if n else "Rates",
            "question": question,
            "runs": [{**runs, "batch_size": 128 + n}],
        }
        for n in range(studies)
    ]
    plan = make_plan(parse({"title": title, "studies": parts}))
    names = classes or list("abcdefghij")
    default = status if isinstance(status, str) else "completed"
    states = dict.fromkeys(range(len(plan.runs)), default)
    states |= status if isinstance(status, dict) else {}
    rows = [row(plan, position, state, names) for position, state in states.items()]
    return plan, pd.json_normalize(rows, sep=".")


def row(plan: Plan, position: int, status: str, classes: list[str]) -> dict[str, object]:
    run = plan.runs[position]
    if status == "missing":
        config = run.config.model_dump(mode="json")
        ids = {"run": run.id, "configuration": run.configuration}
        return {**ids, "status": status, "state": "waiting", "config": config}
    made = record(plan, position, status, classes)
    per_class = made.final.test.images // len(classes)
    calibration = {
        "images": [per_class] * len(classes),
        "confidence": [(k + 0.5) / len(classes) for k in range(len(classes))],
        "accuracy": made.final.test.per_class_accuracy,
    }
    return {**made.model_dump(mode="json"), "calibration": calibration}


def record(
    plan: Plan, position: int, status: str = "completed", classes: Sequence[str] = "abcdefghij"
) -> Record:
    run = plan.runs[position]
    random = np.random.default_rng(position)
    count = len(classes)
    confusion = random.integers(1, 9, (count, count)) + 40 * np.eye(count, dtype=int)
    test = Evaluation(
        images=int(confusion.sum()),
        loss=1.5,
        top1=float(confusion.trace() / confusion.sum()),
        top5=0.9,
        per_class_accuracy=(confusion.diagonal() / confusion.sum(1)).tolist(),
        confusion=confusion.tolist(),
        calibration_error=0.05,
    )
    epochs = [
        Epoch(
            epoch=n,
            learning_rate=run.config.learning_rate,
            running_train_loss=2 / n,
            running_train_accuracy=1 - 0.5 / n,
            validation_loss=2.1 / n,
            validation_accuracy=1 - 0.6 / n,
            test_loss=2.1 / n,
            test_accuracy=1 - 0.6 / n,
            train_seconds=1.0 + position,
            evaluation_seconds=0.5,
        )
        for n in range(1, run.config.epochs + 1)
    ]
    return Record(
        run=run.id,
        configuration=run.configuration,
        status=status,
        config=run.config,
        in_force={"initialization": "kaiming_uniform"},
        data=DataFacts(
            name=run.config.dataset,
            manifest_sha256="a" * 64,
            images_sha256="b" * 64,
            classes=list(classes),
            train_images=45000,
            validation_images=5000,
            test_images=test.images,
        ),
        model=ModelFacts(parameters=62006, trainable_parameters=62006, flops=1303440),
        epochs=epochs,
        final=Final(epoch=run.config.epochs, chosen_by="last", validation=None, test=test),
        seconds=Seconds(setup=1, warmup=0.1, train=4.0 + 4 * position, evaluation=2, total=8 + position),
        images_per_second=9000,
        resumptions=0,
        peak_memory_bytes=10**9,
        environment=Environment(
            device="cpu",
            device_name="Synthetic Processor",
            driver=None,
            cuda=None,
            threads=1,
            platform="Linux",
            python="3.11",
            versions={"torch": "2.15.0"},
        ),
        code=Code(
            version="0.1.0",
            commit="0123456789abcdef",
            dirty=False,
            source_sha256="c" * 64,
            model_sha256="d" * 64,
        ),
        finished="2026-01-01T00:00:00+00:00",
    )
