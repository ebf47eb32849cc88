"""Models from files of the user's own: what they may hold, what lies beside them, and what can be wrong."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from cifarbench.config.knobs import TrainConfig
from cifarbench.errors import UserError
from cifarbench.files import sha256_of
from cifarbench.models.build import batch_norm_in_force, build_model
from cifarbench.models.sources import model_sha256, model_sources

START = "from torch import nn\nimport torch\n"
LINEAR = "nn.Sequential(nn.Flatten(), nn.Linear(3072, classes))"


def built(path: Path, text: str, **knobs: object) -> nn.Module:
    path.write_text(text)
    return build_model(TrainConfig(model=path.stem, **knobs), 10, path)


def module(forward: str, layers: str = "self.layer = nn.Linear(3072, classes)") -> str:
    return (
        f"{START}class Net(nn.Module):\n    def __init__(self, classes):\n        super().__init__()\n"
        f"        {layers}\n    def forward(self, x):\n        {forward}\n"
        "def build(classes):\n    return Net(classes)\n"
    )


OUT = "out = self.layer(x.flatten(1)); "


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            f"{START}def build():\n    return {LINEAR}",
            "build() must take the number of classes and nothing else",
        ),
        (
            f"{START}def build(classes, width):\n    return {LINEAR}",
            "build() must take the number of classes",
        ),
        (
            f"{START}def build(classes):\n    return None",
            "build() gave NoneType; it must give a torch.nn.Module",
        ),
        (f"{START}def build(classes):\n    return nn.Flatten()", "gave a model without parameters to train"),
        (
            f"{START}def build(classes):\n    return nn.Linear(classes)",
            "build() fails: TypeError: Linear.__init__() missing 1 required positional argument: "
            "'out_features' (net.py, line 4)",
        ),
        (
            "import nowhere\ndef build(classes): ...",
            "cannot be imported: ModuleNotFoundError: No module named",
        ),
        (
            module(OUT + "return (out, out) if self.training else out"),
            "forward() gave tuple in training mode",
        ),
        (module(OUT + "return {'logits': out}"), "forward() gave dict in evaluation mode"),
        (module(OUT), "forward() gave NoneType in evaluation mode"),
        (module(OUT + "return out.double()"), "forward() gave an output in float64 in evaluation mode"),
        (
            module(OUT + "return out.detach()"),
            "forward() gave an output that has no gradient in training mode",
        ),
        (module(OUT + "return out[0]"), "forward() gave an output of shape (10,) in evaluation mode"),
        (
            module("return self.layer(x.flatten(1))", "self.layer = nn.Linear(3 * 28 * 28, classes)"),
            "forward() fails in evaluation mode on images (2, 3, 32, 32): RuntimeError: ",
        ),
        (
            module("return self.layer(x.flatten(1))", "self.layer = nn.Linear(3072, classes).double()"),
            "forward() fails in evaluation mode on images (2, 3, 32, 32): RuntimeError: ",
        ),
        (
            module(
                "return self.layer(x.flatten(1))",
                "self.layer, self.no = nn.Linear(3072, classes), nn.LazyLinear(2)",
            ),
            "forward() gave no shape to a lazy layer",
        ),
    ],
)
def test_what_is_wrong_with_one_is_a_line(tmp_path: Path, text: str, line: str) -> None:
    path = tmp_path / "net.py"
    with pytest.raises(UserError) as caught:
        built(path, text)
    assert str(caught.value).startswith(f"{path}: ")
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_byte_order_mark_and_postponed_annotations_are_fine(tmp_path: Path) -> None:
    text = (
        "\ufefffrom __future__ import annotations\nfrom dataclasses import dataclass\n"
        f"{START}@dataclass\nclass Sizes:\n    hidden: int = 3072\n"
        "def build(classes):\n    return nn.Sequential(nn.Flatten(), nn.Linear(Sizes().hidden, classes))\n"
    )
    assert built(tmp_path / "net.py", text)


def test_lazy_layers_get_the_weights_that_the_conventions_say(tmp_path: Path) -> None:
    text = (
        f"{START}def build(classes):\n    return nn.Sequential("
        "nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(classes))\n"
    )
    model = built(tmp_path / "net.py", text, conventions="keras", batch_norm="frozen")
    assert model[3].bias.eq(0).all()
    assert (model[1].eps, model[1].training) == (1e-3, False)


def test_a_check_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    text = f"{START}def build(classes):\n    return nn.Sequential(nn.BatchNorm2d(3), *{LINEAR})"
    norm = built(tmp_path / "net.py", text)[0]
    assert norm.num_batches_tracked == 0
    assert norm.running_mean.eq(0).all()
    assert norm.running_var.eq(1).all()
    assert norm.training


ACTIVATED = f"""{START}
class NormAct(nn.BatchNorm2d):
    def forward(self, x):
        return super().forward(x).relu()
def build(classes):
    return nn.Sequential(NormAct(3, eps=1e-3, momentum=0.3), nn.Flatten(), nn.Linear(3072, classes))
"""


def test_a_batch_norm_keeps_its_own_values_and_its_class(tmp_path: Path) -> None:
    for knobs, expected in (
        ({}, (0.3, 1e-3)),
        ({"batch_norm_eps": 0.5}, (0.3, 0.5)),
        ({"conventions": "keras"}, (0.01, 1e-3)),
    ):
        model = built(tmp_path / "net.py", ACTIVATED, **knobs)
        assert (model[0].momentum, model[0].eps) == expected
        assert tuple(batch_norm_in_force(model).values()) == expected
    frozen = built(tmp_path / "net.py", ACTIVATED, batch_norm="frozen").train()[0]
    assert type(frozen).__name__ == "NormAct"
    images = torch.randn(8, 3, 4, 4) * 3 + 5
    assert torch.allclose(frozen(images), (images / (1 + 1e-3) ** 0.5).relu())
    assert not frozen.training


@pytest.mark.parametrize(
    "kind", ["BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "LazyBatchNorm2d", "SyncBatchNorm"]
)
def test_every_class_of_batch_norm_is_covered(tmp_path: Path, kind: str) -> None:
    shape = {"BatchNorm1d": "(3, 1024)", "BatchNorm3d": "(3, 1, 32, 32)"}.get(kind, "(3, 32, 32)")
    text = (
        f"{START}def build(classes):\n    return nn.Sequential(nn.Flatten(), "
        f"nn.Unflatten(1, {shape}), nn.{kind}({'' if 'Lazy' in kind else 3}), *{LINEAR})"
    )
    norm = built(tmp_path / "net.py", text, batch_norm="frozen", batch_norm_eps=0.25).train()[2]
    assert (norm.eps, norm.training) == (0.25, False)


def test_a_knob_of_batch_norm_without_one_is_refused_by_effect(tmp_path: Path) -> None:
    text = f"{START}def build(classes):\n    return {LINEAR}"
    for knobs in ({"batch_norm": "frozen"}, {"batch_norm_eps": 0.1}, {"batch_norm_momentum": 0.5}):
        with pytest.raises(
            UserError, match=r"has no effect on model 'net', which has no BatchNorm( with .*)?; remove it"
        ):
            built(tmp_path / "net.py", text, **knobs)
    text = text.replace("nn.Flatten()", "nn.BatchNorm2d(3, track_running_stats=False), nn.Flatten()")
    assert built(tmp_path / "net.py", text, batch_norm_eps=0.1)
    for knobs in ({"batch_norm": "frozen"}, {"batch_norm_momentum": 0.5}):
        with pytest.raises(UserError, match=r"which has no BatchNorm with running statistics; remove it"):
            built(tmp_path / "net.py", text, **knobs)
    assert built(tmp_path / "net.py", text, conventions="keras")


HELPED = "from helper import layers\nimport parts.more\ndef build(classes):\n    return layers(classes)\n"


def helper(folder: Path, scale: float = 1.0) -> None:
    (folder / "parts").mkdir(exist_ok=True)
    (folder / "parts/__init__.py").write_text("")
    (folder / "parts/more.py").write_text("from . import deep\n")
    (folder / "parts/deep.py").write_text("")
    (folder / "helper.py").write_text(
        f"{START}def layers(classes):\n    net = {LINEAR}\n"
        f"    net[1].bias.data.fill_({scale})\n    return net\n"
    )


def test_files_beside_a_model_are_imported_and_part_of_its_hash(tmp_path: Path) -> None:
    models = []
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        helper(folder, number)
        models.append(built(folder / "net.py", HELPED))
    # Two folders with files of one name do not mix, and nothing of them stays in the way.
    assert [model[1].bias[0].item() for model in models] == [1, 2]
    assert "helper" not in sys.modules
    assert not any(str(tmp_path) in entry for entry in sys.path)
    path = folder / "net.py"
    names = [file.relative_to(folder).as_posix() for file in model_sources(path)]
    assert names == ["net.py", "helper.py", "parts/__init__.py", "parts/deep.py", "parts/more.py"]
    before = model_sha256(path)
    (folder / "parts/deep.py").write_text("x = 1\n")
    assert model_sha256(path) != before
    (folder / "unused.py").write_text("x = 1\n")
    assert len(model_sources(path)) == 5


def test_a_model_in_one_file_has_the_hash_of_that_file(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    built(path, f"{START}def build(classes):\n    return {LINEAR}")
    assert model_sha256(path) == sha256_of(path)


def test_what_is_imported_unseen_is_refused(tmp_path: Path) -> None:
    helper(tmp_path)
    unseen = (
        "from importlib import import_module\n"
        "def build(classes):\n    return import_module('helper').layers(classes)\n"
    )
    with pytest.raises(UserError, match=r"net.py: imports helper.py unseen; write `import helper`"):
        built(tmp_path / "net.py", unseen)
    assert built(tmp_path / "net.py", unseen + "import helper\n")


def test_what_a_model_names_beside_it_is_part_of_its_hash(tmp_path: Path) -> None:
    """Weights that it loads, or code that it runs by other ways than an import."""
    (tmp_path / "parts").mkdir()
    for name in ("scale.json", "parts/more.py"):
        (tmp_path / name).write_text("2.0")
    path = tmp_path / "net.py"
    named = "Path(__file__).with_name('scale.json').read_text()"
    built(
        path,
        f"import runpy\nfrom pathlib import Path\n{START}def build(classes):\n"
        f"    runpy.run_path(str(Path(__file__).parent / 'parts/more.py'))\n"
        f"    net = {LINEAR}\n    net[1].bias.data.fill_(float({named}))\n    return net\n",
    )
    assert model_sources(path) == [path, tmp_path / "parts/more.py", tmp_path / "scale.json"]
    before = model_sha256(path)
    (tmp_path / "scale.json").write_text("3.0")
    assert model_sha256(path) != before


def test_what_is_imported_from_a_folder_below_is_refused(tmp_path: Path) -> None:
    """A model that changes the import path itself; it is as it was afterwards."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/deeper.py").write_text("")
    before = list(sys.path)
    text = f"import sys\nsys.path.insert(0, {str(tmp_path / 'sub')!r})\nimport deeper\n"
    with pytest.raises(UserError, match=r"imports sub/deeper.py unseen; .* keep it beside this file"):
        built(tmp_path / "net.py", f"{text}{START}def build(classes):\n    return {LINEAR}")
    assert sys.path == before


def test_an_import_within_forward_is_told_before_the_training(tmp_path: Path) -> None:
    (tmp_path / "late.py").write_text("")
    with pytest.raises(UserError, match=r"forward\(\) fails .*No module named 'late' \(net.py, line 8\)"):
        built(tmp_path / "net.py", module(f"import late\n        {OUT}return out"))


def test_an_environment_below_the_folder_of_a_model_is_none_of_it(tmp_path: Path) -> None:
    site = tmp_path / ".venv" / "site-packages"
    site.mkdir(parents=True)
    (site / "some_package_of_this_test.py").write_text("")
    sys.path.append(str(site))
    try:
        text = f"import some_package_of_this_test\n{START}def build(classes):\n    return {LINEAR}"
        assert built(tmp_path / "net.py", text)
        assert "some_package_of_this_test" in sys.modules
        assert model_sources(tmp_path / "net.py") == [tmp_path / "net.py"]
    finally:
        sys.path.remove(str(site))


def test_a_model_is_found_by_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert built(Path("net.py"), HELPED)
