"""Replay recorded runs with the code that is here: `cifarbench verify [PLAN or TABLE]`.

A record with a fingerprint is replayed in float64 on a few images, on any machine; on hardware like the
record's the run's own first steps are, too, and compared to the bit. Runs of one configuration and origin
share a replay. An older record, without a fingerprint, is replayed for its first epoch, which needs like
hardware.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from cifarbench import __version__
from cifarbench.config.ids import configuration_id
from cifarbench.config.knobs import TrainConfig
from cifarbench.data.loading import Data, load
from cifarbench.data.manifest import read_manifest
from cifarbench.errors import UserError
from cifarbench.models.catalogue import ModelSource, is_own, needs_file, source_of
from cifarbench.records.fingerprint import first_difference
from cifarbench.records.record import Epoch, Fingerprint, Record
from cifarbench.records.verified import Origin, Verification, Verified, origin
from cifarbench.training.device import choose_device, prepare_torch
from cifarbench.training.engine import Engine
from cifarbench.training.environment import describe_code, device_name
from cifarbench.training.fingerprint import RULE, NotReplayable, fingerprint
from cifarbench.training.initial import initial_model
from cifarbench.training.trial import TRIED

COMPARED = [
    name for name in Epoch.model_fields if name not in ("epoch", "train_seconds", "evaluation_seconds")
]


class NotReplayed(Exception):
    """A run that cannot be replayed here; says why."""


class Finding(NamedTuple):
    """How a run compares with its record; fields as in Verification."""

    outcome: Literal["bits", "fingerprint", "differs"]
    compared: str
    difference: str | None = None
    fingerprint: Fingerprint | None = None


class Found(NamedTuple):
    """What became of runs that share a replay; without a verification if there was none."""

    outcome: str
    words: str
    verification: Verification | None = None


class Shared:
    """What replays share: the images of each data set, and the fingerprint of each configuration."""

    def __init__(self, data: Path) -> None:
        """`data` is the folder with a folder for each data set."""
        self.data = data
        self._images: dict[object, Data] = {}
        self._fingerprints: dict[object, Fingerprint | None] = {}

    def images(self, config: TrainConfig, device: torch.device) -> Data:
        wanted = ("dataset", "scaling", "denoise", "validation_images", "data_seed")
        key = device, *(getattr(config, name) for name in wanted)
        if key not in self._images:
            self._images[key] = load(self.data / config.dataset, config, device)
        return self._images[key]

    def fingerprint(self, config: TrainConfig, own: Path | None) -> Fingerprint | None:
        """Return the fingerprint that the code here gives; None for a model that cannot be replayed."""
        key = configuration_id(config), own
        if key not in self._fingerprints:
            try:
                images = self.images(config, torch.device("cpu"))
                self._fingerprints[key] = fingerprint(config, images, own)
            except NotReplayable:
                self._fingerprints[key] = None
        return self._fingerprints[key]


def verify(
    records: Iterable[Record], data: Path, models: Mapping[str, Path], verified: Verified
) -> Iterator[tuple[list[str], Found]]:
    """Replay each run, or one for all that share its replay, and yield their ids and what was found.

    `data` holds a folder for each data set, `models` the file of each model; `verified` is what was found
    before, so that an older record needs its first epoch but once.
    """
    before, shared = verified.by_run(), Shared(data)
    for group in groups(records):
        record, runs = group[0], [record.run for record in group]
        try:
            model = model_of(record, models)
            finding = replay(record, shared, model, before.get((record.run, origin(record))))
        except NotReplayed as reason:
            yield runs, Found("not replayed", f": {reason}")
            continue
        verification = Verification(
            configuration=record.configuration,
            recorded=origin(record),
            replayed=origin_here(model),
            **finding._asdict(),
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            version=__version__,
            runs=runs,
        )
        words = f": {finding.difference}" if finding.difference else f" ({finding.compared})"
        yield runs, Found(finding.outcome, words, verification)


def not_yet(records: Sequence[Record], verified: Verified, models: Mapping[str, Path]) -> list[Record]:
    """Return the records that the code here has not replayed yet."""
    by_run = verified.by_run()
    here = {}
    for name, record in {record.config.model: record for record in records}.items():
        with suppress(NotReplayed):
            here[name] = origin_here(model_of(record, models))

    def done(record: Record) -> bool:
        found = by_run.get((record.run, origin(record)))
        return found is not None and found.replayed == here.get(record.config.model)

    return [record for record in records if not done(record)]


def groups(records: Iterable[Record]) -> list[list[Record]]:
    """Put together the runs that one replay stands for."""
    found: dict[object, list[Record]] = {}
    for record in records:
        own = record.run if record.fingerprint is None else record.fingerprint.model_dump_json()
        environment = record.environment
        key = record.configuration, origin(record), own, environment.device_name, environment.threads
        found.setdefault(key, []).append(record)
    return list(found.values())


def model_of(record: Record, models: Mapping[str, Path]) -> ModelSource:
    name = record.config.model
    if name not in models and needs_file(name):
        raise NotReplayed(f"model {name!r} is not built in; verify the config that names its file")
    try:
        return source_of(name, models)
    except UserError as error:  # of a library that is not installed here
        raise NotReplayed(str(error)) from None


def origin_here(model: ModelSource) -> Origin:
    code = describe_code(model)
    return Origin(code.source_sha256, code.model_sha256, version("torch"))


def replay(record: Record, shared: Shared, model: ModelSource, before: Verification | None) -> Finding:
    """Compare a run with what the code here does, `before` with what other code was found to do.

    Raise NotReplayed where that cannot be told.
    """
    check_data(record, shared.data / record.config.dataset)
    weights = record.config.initial_weights
    if weights and not Path(weights).is_file():
        raise NotReplayed(f"{weights}, which it starts from, is not here")
    own = model if isinstance(model, Path) and is_own(model) else None
    here = shared.fingerprint(record.config, own)
    repeated = before.fingerprint if before and record.fingerprint is None else None
    known = record.fingerprint or repeated
    if known is None or known.rule != RULE:
        found = by_first_epoch(record, shared, own)
        return found if found.difference else found._replace(fingerprint=here)
    difference = first_difference(known, here) if here else "the model cannot be replayed in float64 any more"
    if difference:
        return Finding("differs", "fingerprint", difference, repeated)
    same_weights = here is not None and here.initial_weights_sha256 == known.initial_weights_sha256
    if same_weights and repeats(record, shared, own):
        return Finding("bits", f"first {len(record.first_losses)} steps")
    compared = "fingerprint of what repeated its first epoch to the bit" if repeated else "fingerprint"
    return Finding("fingerprint", compared, None, repeated)


def repeats(record: Record, shared: Shared, own: Path | None) -> bool:
    """Tell whether a run's own first steps repeat to the bit, where they are known and may."""
    if not record.first_losses or unlike(record) is not None:
        return False
    return first_losses(record, shared, own) == record.first_losses


def check_data(record: Record, folder: Path) -> None:
    try:
        here = read_manifest(folder).images_sha256
    except UserError as error:
        raise NotReplayed(str(error)) from None
    if here != record.data.images_sha256:
        raise NotReplayed(f"{folder} holds other images than the record's")


def unlike(record: Record) -> str | None:
    """Say in what this machine differs from the record's, so that bits may; None if in nothing."""
    then, device = record.environment, choose_device("cpu" if record.environment.device == "cpu" else "auto")
    here = {"device": device_name(device), "torch": version("torch")}
    recorded = {"device": then.device_name, "torch": then.versions["torch"]}
    differs = [f"{name} {recorded[name]}, here {here[name]}" for name in here if recorded[name] != here[name]]
    return "; ".join(differs) or None


def by_first_epoch(record: Record, shared: Shared, own: Path | None) -> Finding:
    """Train the first epoch again and compare its figures to the bit."""
    difference = unlike(record)
    if difference:
        raise NotReplayed(f"no fingerprint, and its first epoch repeats on like hardware only: {difference}")
    engine = started(Engine, record, shared, own)
    engine.train_rest_of_epoch()
    epoch, recorded = engine.end_epoch(), record.epochs[0]
    for name in COMPARED:
        now, before = getattr(epoch, name), getattr(recorded, name)
        if now != before:
            return Finding(
                "differs", "first epoch", f"{name.replace('_', ' ')} of epoch 1: {now} instead of {before}"
            )
    return Finding("bits", "first epoch")


class Enough(Exception):
    """As many steps are taken as are compared."""


class FirstSteps(Engine):
    """An engine that stops when it has taken the steps whose losses are kept."""

    def step(self, positions: Tensor) -> None:
        if not self.progress.notes_first:
            raise Enough
        super().step(positions)


def first_losses(record: Record, shared: Shared, own: Path | None) -> list[float | None]:
    """Take the first steps of a run again."""
    engine = started(FirstSteps, record, shared, own)
    with suppress(Enough):
        engine.train_rest_of_epoch()
    engine.progress.read_first(engine.config.batch_size, len(engine.data.train))
    return engine.progress.first_losses


def started(kind: type[Engine], record: Record, shared: Shared, own: Path | None) -> Engine:
    """Return the engine of a run, as it was before its first step."""
    tried = {name: record.in_force[name] for name in TRIED}
    config = record.config.model_copy(update=tried)
    device = choose_device("cpu" if record.environment.device == "cpu" else "auto")
    prepare_torch(config, device, record.environment.threads)
    data = shared.images(config, device)
    model, _ = initial_model(config, data, own)
    engine = kind(config, data, model.to(device), device)
    engine.warm_up()
    return engine
