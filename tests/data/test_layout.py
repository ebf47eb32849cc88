"""Layouts that strangers bring: which split and class each image belongs to, or why that is not clear."""

from pathlib import PurePosixPath

import pytest

from cifarbench.data.layout import lay_out, role
from cifarbench.errors import UserError


def placed(*names: str, labels: dict[str, str] | None = None) -> dict[str, tuple[str | None, str]]:
    known = {PurePosixPath(name): label for name, label in (labels or {}).items()}
    found = lay_out([PurePosixPath(name) for name in names], known)
    return {str(name): place for name, place in found.places.items()}


def refusal(*names: str) -> str:
    with pytest.raises(UserError) as caught:
        placed(*names)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def tree(*folders: str, files: str = "1.png") -> list[str]:
    """Return an image in each folder."""
    return [f"{folder}/{file}" for folder in folders for file in files.split()]


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train", "test"),
        ("Training", "Testing"),
        ("Train", "Test"),
        ("TRAIN", "TEST"),
        ("training_set", "test_set"),
        ("seg_train", "seg_test"),
        ("train_images", "test-images"),
        ("asl_alphabet_train", "asl_alphabet_test"),
        ("train2017", "eval"),
        ("TrainImages", "TestImages"),
        ("traindata", "testdata"),
        ("X_TRAIN", "X_TEST"),
        ("trainingSet", "testSet"),
        ("01 Training Data", "02 Testing Data"),
    ],
)
def test_a_given_split_is_known_by_its_usual_names(train: str, test: str) -> None:
    found = placed(*tree(f"{train}/a", f"{train}/b", f"{test}/a", f"{test}/b"))
    assert found == {
        f"{train}/a/1.png": ("train", "a"),
        f"{train}/b/1.png": ("train", "b"),
        f"{test}/a/1.png": ("test", "a"),
        f"{test}/b/1.png": ("test", "b"),
    }


@pytest.mark.parametrize("name", ["val", "Valid", "validation", "dev", "val_set", "seg_val"])
def test_a_validation_split_is_one_beside_the_others_or_with_train_alone(name: str) -> None:
    with_test = placed(*tree("train/a", "train/b", f"{name}/a", "test/a", "test/b"))
    assert with_test[f"{name}/a/1.png"] == ("validation", "a")
    alone = placed(*tree("train/a", "train/b", f"{name}/a", f"{name}/b"))
    assert {place for place, _ in alone.values()} == {"train", "validation"}


@pytest.mark.parametrize("name", ["freight", "attest", "contrail", "valley", "tester"])
def test_a_word_that_holds_one_is_no_split(name: str) -> None:
    assert role(name) is None
    assert placed(*tree(name, "other"))[f"{name}/1.png"] == (None, name)


def test_a_train_among_vehicles_is_a_class() -> None:
    assert placed(*tree("car", "train", "bus"))["train/1.png"] == (None, "train")


def test_pictures_to_be_predicted_are_left_out() -> None:
    found = placed(*tree("seg_train/a", "seg_train/b", "seg_test/a", "seg_test/b"), *tree("seg_pred"))
    assert "seg_pred/1.png" not in found
    assert placed(*tree("train/a", "train/b", "test")).keys() == {"train/a/1.png", "train/b/1.png"}


def test_a_folder_that_holds_everything_does_not_count() -> None:
    assert placed(*tree("x/y/train/a", "x/y/train/b"))["x/y/train/a/1.png"] == ("train", "a")
    assert placed(*tree("flowers/a", "flowers/b"))["flowers/a/1.png"] == (None, "a")
    assert placed(*tree("test/train/a", "test/train/b"))["test/train/a/1.png"] == ("train", "a")
    among_classes = placed(*tree("train/train station/x", "train/bus/x"))
    assert among_classes["train/train station/x/1.png"] == ("train", "train station")


def test_folders_below_a_class_belong_to_it_where_the_split_is_given() -> None:
    found = placed(*tree("train/a/g1", "train/a/g2", "train/b/g1", "test/a", "test/b"))
    assert found["train/a/g2/1.png"] == ("train", "a")
    assert {label for _, label in found.values()} == {"a", "b"}


def test_the_layout_of_tiny_imagenet() -> None:
    names = tree("t/train/n1/images", "t/train/n2/images", "t/val/images", "t/test/images")
    found = placed(*names, labels={"t/val/images/1.png": "n2"})
    assert found == {
        "t/train/n1/images/1.png": ("train", "n1"),
        "t/train/n2/images/1.png": ("train", "n2"),
        "t/val/images/1.png": ("validation", "n2"),
    }
    assert placed(*tree("n1/images", "n2/images"))["n1/images/1.png"] == (None, "n1")


def test_one_name_in_two_forms_of_unicode_is_one_class() -> None:
    composed, apart = "caf\u00e9", "cafe\u0301"
    found = placed(*tree(f"train/{composed}", "train/b", f"test/{apart}", "test/b"))
    assert {label for _, label in found.values()} == {composed, "b"}


@pytest.mark.parametrize(
    ("names", "line"),
    [
        ([], "holds no images"),
        (tree("a"), "has one class alone (a/)"),
        (tree("train/a", "test/a"), "has one class alone (a/)"),
        (["1.png", "a/1.png", "b/1.png"], "1.png lies in no folder of a class"),
        (tree("train/a", "train/b", "test/a", "test/b", "c"), "classes outside train/ and test/ (c/)"),
        (
            tree("train/a", "train/b", "Training/a", "test/a"),
            "has train/ and Training/, which both hold train",
        ),
        (tree("test/a", "test/b"), "has test/ but no train/"),
        (tree("val/a", "val/b", "test/a", "test/b"), "has test/, val/ but no train/"),
        (tree("train", "test"), "has test/ but no train/ with a folder for each class"),
        (tree("a", "b", "test"), "has test/ but no train/"),
        (
            tree("train/a", "train/b", "train/b/deep"),
            "has images at different depths: train/b/1.png and train/b/deep/1.png",
        ),
        (tree("train/a", "train/b", "val"), "val/ has images without a class"),
        (tree("a", "b", "b/c"), "has images at different depths"),
        (tree("animals/cat", "plants/rose"), "has folders in folders below animals/, plants/"),
        (tree("x/train/a", "y/train/a"), "has folders in folders below x/, y/"),
        (tree("cat/train", "cat/test", "dog/train", "dog/test"), "has folders in folders below cat/, dog/"),
        (tree("cats_train", "cats_test", "dogs_train", "dogs_test"), "has cats_test/, cats_train/: are they"),
        (tree("cats", "dogs", "cats-VALIDATION"), "has cats/, cats-VALIDATION/: are they classes, or parts"),
        (tree("mnist_training", "mnist_testing"), "has mnist_testing/, mnist_training/: are they classes"),
        (tree("entrenamiento/a", "entrenamiento/b", "prueba/a"), "folders in folders below entrenamiento/"),
        (
            tree("train/Images", "train/masks", "test/Images", "test/masks"),
            "has a class Images/, which is no",
        ),
        (tree("train/a", "train/b", "test/a"), "class b has no images in test/"),
        (tree("Train/a", "Train/b", "TEST/a", "TEST/b", "TEST/c"), "class c has no images in Train/"),
        (tree("train/a", "train/b", "val/c"), "class c has no images in train/"),
        (tree("Cat", "cat"), "classes 'Cat' and 'cat' differ in case alone"),
        (tree("train/Cat", "train/b", "test/cat", "test/b"), "classes 'Cat' and 'cat' differ in case alone"),
        (tree("a\x1b[31m", "b"), "class a\\x1b[31m: its name has characters that cannot be shown"),
        (tree("a\nb", "c"), "class a\\nb: its name"),
        (tree("a\udcff", "c"), "class a\\udcff: its name"),
    ],
)
def test_what_is_ambiguous_is_refused_with_the_folders_seen(names: list[str], line: str) -> None:
    assert line in refusal(*names)
