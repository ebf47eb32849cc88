"""What the report says of the data: how they were read, what is wrong with them, and how to get them."""

from cifarbench.analysis.results import Results
from cifarbench.config.benchmark import Dataset
from cifarbench.report.cards import commands
from cifarbench.report.sections.provenance import sections
from helpers.synthetic import synthetic


def test_what_was_decided_of_the_data_is_told() -> None:
    plan, table = synthetic()
    table["data.description"] = [["train: 40 images, from Training/", "left out: 1 files: a.txt"]] * len(
        table
    )
    table["data.warnings"] = [["3 test images are training images, too"]] * len(table)
    [section] = sections(Results(plan, table))
    name = plan.datasets[0].name
    assert section.content["facts"]["How the images were read"] == [
        f"{name}: train: 40 images, from Training/",
        f"{name}: left out: 1 files: a.txt",
    ]
    assert f"{name}: 3 test images are training images, too" in section.content["warnings"]


def test_older_records_tell_nothing_of_it() -> None:
    plan, table = synthetic()
    for column in ("data.description", "data.warnings"):
        table = table.drop(columns=column, errors="ignore")
    table["data.description"] = [None] * len(table)
    [section] = sections(Results(plan, table))
    assert "How the images were read" not in section.content["facts"]


def test_the_commands_that_make_a_data_set_ready() -> None:
    official = commands(Dataset(name="mnist", format="mnist"))
    assert [line.split()[1] for line in official] == ["download"] * 4 + ["normalise"]
    assert "--checksum md5:f68b3c2dcbeaaa9fbdd348bbdeb94873 --output data/mnist/train-images" in official[0]
    assert official[-1].count("data/mnist/") == 4
    mine = Dataset(name="mine", format="folder", source="https://h/a.zip?download=1", sha256="0" * 64)
    assert commands(mine)[1] == (
        "cifarbench normalise --name mine --format folder --source data/mine/a.zip "
        f"--sha256 {'0' * 64} --output data/mine"
    )
    assert commands(Dataset(name="digits", format="digits")) == [
        "cifarbench normalise --name digits --format digits --output data/digits"
    ]
