"""What a finished training writes."""

from datetime import UTC, datetime
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from cifarbench.config.ids import configuration_id, run_id
from cifarbench.config.knobs import CONVENTION_KNOBS, TrainConfig
from cifarbench.data.loading import Data
from cifarbench.data.manifest import Manifest, description, warnings
from cifarbench.files import atomic
from cifarbench.models.build import batch_norm_in_force, keeps_initial_weights
from cifarbench.records.record import Code, DataFacts, Final, Fingerprint, ModelFacts, Record
from cifarbench.training.device import peak_memory_bytes
from cifarbench.training.engine import Engine
from cifarbench.training.environment import describe_environment
from cifarbench.training.evaluate import Outputs
from cifarbench.training.trial import TRIED


def make_record(
    config: TrainConfig,
    engine: Engine,
    model: ModelFacts,
    code: Code,
    fingerprint: Fingerprint | None,
    final: Final,
) -> Record:
    """Describe the run of `config`; the engine's own config has no `auto` left."""
    data, progress = engine.data, engine.progress
    seconds = progress.seconds()
    return Record(
        run=run_id(config),
        configuration=configuration_id(config),
        status="completed" if progress.epochs[-1].running_train_loss is not None else "diverged",
        config=config,
        in_force=in_force(engine),
        data=data_facts(data),
        model=model,
        epochs=progress.epochs,
        fingerprint=fingerprint,
        first_losses=progress.first_losses,
        final=final,
        seconds=seconds,
        images_per_second=len(progress.epochs) * engine.images_per_epoch / seconds.train,
        resumptions=progress.resumptions,
        peak_memory_bytes=peak_memory_bytes(engine.device),
        tracked=engine.listeners.trackers,
        environment=describe_environment(engine.device, config.model),
        code=code,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def in_force(engine: Engine) -> dict[str, str | float | None]:
    """Return the knobs that conventions, a trial or the hardware decided, as they were."""
    return {
        **{name: engine.config.resolved(name) for name in (*CONVENTION_KNOBS, *TRIED)},
        **batch_norm_in_force(engine.model),
        **({"initialization": None} if keeps_initial_weights(engine.config) else {}),
        "cuda_graph": str(engine.recorded is not None).lower(),
        "optimizer_kernels": engine.optimizers.way,
    }


def save_weights(weights: dict[str, Tensor], path: Path) -> None:
    with atomic(path) as temporary:
        save_file({name: tensor.cpu().contiguous() for name, tensor in weights.items()}, temporary)


def save_predictions(outputs: Outputs, path: Path) -> None:
    """Save label, predicted class (int16) and its probability (float32) of each test image."""
    probability, predicted = outputs.logits.softmax(1).max(1)
    with atomic(path) as temporary:
        save_file(
            {
                "label": outputs.labels.short().cpu(),
                "predicted": predicted.short().cpu(),
                "probability": probability.cpu(),
            },
            temporary,
        )


def data_facts(data: Data) -> DataFacts:
    manifest: Manifest = data.manifest
    return DataFacts(
        name=manifest.name,
        manifest_sha256=data.manifest_sha256,
        images_sha256=manifest.images_sha256,
        classes=manifest.classes,
        train_images=len(data.train),
        validation_images=len(data.validation),
        test_images=len(data.test),
        mean=manifest.mean,
        std=manifest.std,
        background=manifest.background,
        image_size=data.side,
        description=list(description(manifest)),
        warnings=list(warnings(manifest)),
    )
