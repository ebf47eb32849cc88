"""The knobs of a run, each named once: type, bounds, default, unit and help.

From `TrainConfig` come the validation of what a study asks for, the flags of `cifarbench train` with their
help, the `config` block of each record, and the ids of runs. Nothing here imports torch.
"""

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_validator,
)

from cifarbench.config.choices import LOSSES, OPTIMIZERS, SCHEDULES, readers
from cifarbench.config.text import JsonText, PathText, no_truth_for_a_number

# What fills the knobs that are left unset (null), beside what `choices` says of each optimizer. PyTorch has
# no say in a model's BatchNorm, which keeps its own. Keras' momentum of 0.99 is 0.01 in PyTorch's sense.
CONVENTIONS: dict[str, dict[str, Any]] = {
    "pytorch": {"initialization": "kaiming_uniform"},
    "keras": {
        "initialization": "glorot_uniform",
        "batch_norm_momentum": 0.01,
        "batch_norm_eps": 1e-3,
    },
}
CONVENTION_KNOBS = (
    *CONVENTIONS["keras"],
    *dict.fromkeys(name for optimizer in OPTIMIZERS.values() for name in optimizer.keras),
)
# Knobs of the model itself. Unset means the model's own value; a model that does not know one refuses it.
MODEL_KNOBS = (
    "width",
    "depth",
    "activation",
    "conv_activation",
    "dropout",
    "classifier",
    "stem",
    "model_args",
)
MAPPINGS = ("model_args",)  # knobs whose value is one
# Knobs that only have an effect with some values of another: (knob, that other one, its values).
CONDITIONAL_KNOBS = (*readers(), ("batch_norm_momentum", "batch_norm", ["batch"]))

if TYPE_CHECKING:
    OptimizerName: TypeAlias = str
    ScheduleName: TypeAlias = str
    LossName: TypeAlias = str
else:
    OptimizerName, ScheduleName, LossName = (
        Literal[tuple(choices)] for choices in (OPTIMIZERS, SCHEDULES, LOSSES)
    )


def _or_truth(word: str) -> WrapValidator:
    """Say in one line what is allowed; of a union pydantic says it once for each part."""

    def checked(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(value)
        except ValidationError:
            raise ValueError(f"input should be true, false or '{word}'") from None

    return WrapValidator(checked)


# In JSON all of their values are text, so that a column of a table has one type.
_as_text = PlainSerializer(lambda value: str(value).lower(), return_type=str, when_used="json")
Switch = Annotated[Literal["auto"] | bool, _or_truth("auto"), _as_text]
Flip = Annotated[Literal["alternating"] | bool, _or_truth("alternating"), _as_text]


def knob(default: Any, help: str, unit: str | None = None, **bounds: Any) -> Any:
    """Declare a knob: its default, a line of help, its unit and pydantic's bounds (ge, gt, le, lt)."""
    return Field(default, description=help, json_schema_extra={"unit": unit} if unit else None, **bounds)


class TrainConfig(BaseModel):
    """Everything that decides what one training produces; with its data, it is the identity of a run."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    dataset: str = knob("cifar10", "data set, by name", min_length=1)
    model: str = knob("lenet5", "model, by name", min_length=1)
    seed: int = knob(0, "seed of weights, order, augmentation and dropout", ge=0, lt=2**31)
    weights_seed: int | None = knob(None, "seed of the initial weights alone", ge=0, lt=2**31)
    order_seed: int | None = knob(None, "seed of the order of images alone", ge=0, lt=2**31)

    width: float | None = knob(None, "multiplier of the model's channels", "x", gt=0, le=64)
    depth: int | None = knob(None, "layers of the model (wide_resnet, densenet_bc)", ge=1, le=2000)
    activation: Literal["relu", "leaky_relu", "tanh", "sigmoid", "gelu"] | None = knob(None, "non-linearity")
    conv_activation: bool | None = knob(None, "activation after the convolutions too (lenet5)")
    dropout: float | None = knob(None, "dropout rate", "fraction", ge=0, lt=1)
    classifier: Literal["mlp", "linear"] | None = knob(None, "layers after the convolutions (vgg16)")
    stem: Literal["small", "library"] | None = knob(
        None, "begin a library's ResNet or DenseNet with a 3x3 convolution that keeps all pixels, no pooling"
    )
    model_args: JsonText = knob(
        None, "arguments of a library's model, as the library names them: {dropout: 0.1}"
    )
    conventions: Literal["pytorch", "keras"] = knob("pytorch", "whose defaults fill the knobs left unset")
    initialization: Literal["kaiming_uniform", "glorot_uniform", "dirac"] | None = knob(
        None,
        "initial weights: PyTorch's, Glorot uniform with zero biases, or convolutions that pass on",
    )
    whitening: bool = knob(
        False, "first convolution: frozen, and such that it whitens patches of the training images"
    )
    initial_weights: PathText | None = knob(
        None, "file of weights to start from, safetensors or a state dict; what fits no layer is left out"
    )
    initial_weights_sha256: str | None = knob(None, "their checksum", pattern="^[0-9a-f]{64}$")
    freeze: Literal["none", "backbone"] = knob("none", "train all, or the last layer alone")
    batch_norm: Literal["batch", "frozen"] = knob(
        "batch", "statistics of BatchNorm: the batch's, or frozen at mean 0 and variance 1"
    )
    batch_norm_momentum: float | None = knob(None, "update rate of running statistics", gt=0, le=1)
    batch_norm_eps: float | None = knob(None, "added to the variance in BatchNorm", gt=0, le=1)

    scaling: Literal["unit", "symmetric", "per_channel"] = knob(
        "per_channel", "pixels to [0, 1], to [-1, 1], or to mean 0 and deviation 1 of each channel"
    )
    denoise: Literal["none", "gaussian", "median"] = knob(
        "none", "filter over each image: Gaussian (sigma 0.5 pixels) or median (3x3)"
    )
    image_size: int | None = knob(
        None,
        "side that images are resized to before the model sees them, on the device",
        "pixels",
        ge=8,
        le=512,
    )
    flip: Flip = knob(
        False, "augment: mirror left to right with probability 1/2, or alternating: in every other epoch"
    )
    crop_padding: int = knob(0, "augment: shift by up to so much", "pixels", ge=0, le=32)
    crop_border: Literal["black", "reflect"] = knob("black", "what comes in where crop_padding shifts")
    color_jitter: float = knob(
        0.0, "augment: most by which brightness, contrast and colour change", "fraction", ge=0, le=1
    )
    rand_augment: int = knob(0, "augment: level of RandAugment's operations; 0 for none", ge=0, le=30)
    rand_augment_operations: int = knob(2, "operations of RandAugment on each image", ge=1, le=10)
    trivial_augment: bool = knob(False, "augment: one operation of any level, as TrivialAugment")
    cutout: int = knob(0, "augment: side of a blanked square", "pixels", ge=0, le=32)
    random_erasing: float = knob(
        0.0, "augment: probability of a blanked rectangle, of 2 to 33 % of the image", ge=0, le=1
    )
    mixup: float = knob(0.0, "augment: alpha of the share in which images and targets are mixed", ge=0, le=10)
    cutmix: float = knob(0.0, "augment: alpha of the share that a patch of another image takes", ge=0, le=10)
    extra_tests: tuple[str, ...] = knob((), "data sets with the same classes to test on, too, as under shift")
    validation_images: int = knob(
        5000, "images held out of the training set, stratified", "images", ge=0, lt=2**31
    )
    data_seed: int = knob(0, "seed that draws the validation images", ge=0, lt=2**31)

    epochs: int = knob(10, "passes over the training images", "epochs", ge=1, lt=2**31)
    batch_size: int = knob(128, "images per step", "images", ge=1, le=10**6)
    last_batch: Literal["keep", "drop"] = knob("keep", "the last, smaller batch of an epoch")
    optimizer: OptimizerName = knob("adam", "optimizer")
    learning_rate: float = knob(0.001, "learning rate, at its highest", gt=0)
    bias_rate: float = knob(1.0, "factor of learning_rate for biases", "x", ge=0, le=10**6)
    norm_rate: float = knob(1.0, "factor of learning_rate for what norms learn", "x", ge=0, le=10**6)
    first_layer_rate: float = knob(1.0, "factor of learning_rate for the first layer", "x", ge=0, le=10**6)
    last_layer_rate: float = knob(1.0, "factor of learning_rate for the last layer", "x", ge=0, le=10**6)
    momentum: float = knob(0.0, "momentum (sgd, rmsprop, muon)", ge=0, lt=1)
    nesterov: bool = knob(False, "Nesterov's momentum (sgd, muon)")
    muon_rest: Literal["sgd", "adamw"] = knob(
        "adamw", "optimizer of what muon leaves: the last layer, and all that is no matrix"
    )
    muon_norm: Literal["free", "fixed"] = knob(
        "free", "length of each of muon's matrices: as it comes, or the root of its rows before each step"
    )
    weight_decay: float = knob(0.0, "weight decay, as the optimizer defines it", ge=0)
    decay_on: Literal["all", "matrices"] = knob(
        "all", "what weight_decay pulls: all weights, or neither biases nor what BatchNorm learns"
    )
    gradient_clip: float = knob(0.0, "longest gradient of all weights together; 0 for any", ge=0)
    ema_decay: float = knob(
        0.0, "share that the average of the weights keeps at each step; then it is what is tested", ge=0, lt=1
    )
    last_layer_l2: float = knob(0.0, "times the last layer's squared weights, added to the loss", ge=0)
    optimizer_eps: float | None = knob(None, "added to the optimizer's denominator", gt=0)
    eps_beside: Literal["corrected", "uncorrected"] = knob(
        "corrected",
        "root of the second moment that optimizer_eps is added to (adam, adamw): PyTorch's, or Keras'",
    )
    rho: float | None = knob(None, "decay of the average of squares (rmsprop, adadelta)", gt=0, lt=1)
    initial_accumulator: float | None = knob(None, "initial sum of squares (adagrad)", ge=0)
    schedule: ScheduleName = knob("none", "learning rate over time")
    milestones: tuple[Annotated[int, Field(ge=1, lt=2**31)], ...] = knob(
        (), "when multistep multiplies the rate by gamma", "epochs"
    )
    gamma: float = knob(0.1, "factor at each milestone (multistep)", gt=0, le=1)
    warmup_epochs: float = knob(0.0, "linear rise of the learning rate at the start", "epochs", ge=0)
    decay_share: float = knob(
        0.2, "share of the steps, at the end, in which warmup_stable_decay falls to 0", "fraction", gt=0, le=1
    )
    loss: LossName = knob(
        "cross_entropy", "loss; *_index compares with the class index instead of one-hot, as published"
    )
    label_smoothing: float = knob(0.0, "share of the target spread over all classes", "fraction", ge=0, lt=1)

    precision: Literal["float32", "bfloat16", "auto"] = knob(
        "float32", "arithmetic of the forward pass; auto tries and takes the faster"
    )
    memory_format: Literal["contiguous", "channels_last", "auto"] = knob(
        "contiguous", "layout of images and weights in memory; auto tries and takes the faster"
    )
    compile: bool = knob(False, "compile the training step; takes seconds to minutes before the first one")
    cuda_graph: Switch = knob(
        "auto", "on a GPU, record a step and launch it at once; auto where it can be done, true or not at all"
    )
    deterministic: bool = knob(True, "on a GPU, only kernels that repeat to the bit; false may be faster")
    device: Literal["auto", "cpu", "cuda", "mps", "xpu"] = knob(
        "auto", "where to train; auto takes a GPU if there is one, of NVIDIA or AMD, Apple or Intel"
    )
    early_stop: int = knob(0, "end when validation has not improved for so long; 0 for never", "epochs", ge=0)
    test_time_augmentation: Literal["none", "mirror", "mirror_and_shift"] = knob(
        "none", "test a second time with the mean of several views of an image, beside the plain test"
    )
    report_epoch: Literal["last", "best_validation", "best_test"] = knob(
        "last", "epoch whose weights are kept and tested; best_test flatters, and is marked as published"
    )

    @field_validator("*", mode="before")
    @classmethod
    def _numbers(cls, value: Any, info: ValidationInfo) -> Any:
        return no_truth_for_a_number(value, cls.model_fields[str(info.field_name)].annotation)

    @model_validator(mode="after")
    def _knobs_fit_together(self) -> Self:
        for name, decider, values in CONDITIONAL_KNOBS:
            value, chosen = getattr(self, name), getattr(self, decider)
            if value != default_of(name) and chosen not in values:
                raise ValueError(
                    f"{name} {value!r} has no effect with {decider} {chosen!r}; "
                    f"remove it, or choose {decider} {' or '.join(values)}"
                )
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov True needs a momentum above 0, for example 0.9")
        if self.early_stop and self.validation_images == 0:
            raise ValueError(f"early_stop {self.early_stop!r} needs validation_images above 0")
        if self.early_stop >= self.epochs:
            raise ValueError(f"early_stop {self.early_stop!r} must be below epochs {self.epochs!r}; lower it")
        if self.report_epoch == "best_validation" and self.validation_images == 0:
            raise ValueError("report_epoch 'best_validation' needs validation_images above 0")
        return self

    @model_validator(mode="after")
    def _schedule_fits_together(self) -> Self:
        if self.schedule == "multistep" and not self.milestones:
            raise ValueError("schedule 'multistep' needs milestones, for example [30, 80]")
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError(f"milestones {self.milestones!r} must rise, each once; put them in order")
        if self.milestones and min(self.milestones) < self.warmup_epochs:
            raise ValueError(
                f"milestones {self.milestones!r} has one before warm-up ends, at {self.warmup_epochs!r}, "
                "where it has no effect; move it"
            )
        if self.schedule == "multistep" and self.gamma == 1:
            raise ValueError("gamma 1.0 has no effect with schedule 'multistep'; choose one below 1")
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warmup_epochs {self.warmup_epochs!r} must be below epochs {self.epochs!r}; lower it"
            )
        return self

    @model_validator(mode="after")
    def _recipe_fits_together(self) -> Self:
        if self.mixup and self.cutmix:
            raise ValueError(f"mixup {self.mixup!r} and cutmix {self.cutmix!r} cannot both mix; choose one")
        if (self.mixup or self.cutmix) and self.loss.endswith("_index"):
            raise ValueError(f"loss {self.loss!r} takes a class, and mixup and cutmix give shares; drop one")
        if self.rand_augment and self.trivial_augment:
            raise ValueError(
                f"rand_augment {self.rand_augment!r} and trivial_augment True do the same twice; choose one"
            )
        operations = self.rand_augment_operations
        if operations != default_of("rand_augment_operations") and not self.rand_augment:
            raise ValueError(
                f"rand_augment_operations {operations!r} has no effect with rand_augment 0; remove it"
            )
        if self.crop_border != "black" and not self.crop_padding:
            raise ValueError(f"crop_border {self.crop_border!r} has no effect with crop_padding 0; remove it")
        if self.initial_weights_sha256 and not self.initial_weights:
            raise ValueError("initial_weights_sha256 has no effect without initial_weights; remove it")
        if self.initial_weights and self.whitening:
            raise ValueError("whitening True and initial_weights both begin the first layer; choose one")
        if len({self.dataset, *self.extra_tests}) <= len(self.extra_tests):
            raise ValueError(f"extra_tests {self.extra_tests!r} has a data set that is tested on anyway")
        if self.decay_on != "all" and not self.weight_decay:
            raise ValueError(f"decay_on {self.decay_on!r} has no effect with weight_decay 0; remove it")
        return self

    def changed(self) -> dict[str, Any]:
        """Return the knobs that differ from their defaults, in the order of declaration."""
        return {name: value for name, value in self if value != default_of(name)}

    def resolved(self, name: str) -> Any:
        """Return the value in force of a knob that `conventions` fills when it is unset (None)."""
        value = getattr(self, name)
        return convention(self.conventions, self.optimizer, name) if value is None else value


def default_of(name: str) -> Any:
    return TrainConfig.model_fields[name].default


def convention(library: str, optimizer: str, name: str) -> Any:
    """Return what PyTorch or Keras sets a knob to; None where nothing reads it, or the model decides."""
    values = {**CONVENTIONS[library], **getattr(OPTIMIZERS[optimizer], library)}
    return values.get(name)
