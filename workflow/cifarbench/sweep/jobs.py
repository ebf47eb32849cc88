"""What the jobs of a config need: the rules ask here for every input, flag and resource."""

import functools
import hashlib
import json
import math
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, TypeGuard

from cifarbench.config.benchmark import locate, parse
from cifarbench.config.flags import flags
from cifarbench.config.ids import PLACES, model_slug
from cifarbench.config.knobs import TrainConfig
from cifarbench.config.reading import read
from cifarbench.config.text import taken_literally
from cifarbench.data.archives import known_sha256
from cifarbench.data.catalogue import Archive, downloads, read_flags
from cifarbench.data.manifest import MANIFEST, read_manifest
from cifarbench.errors import UserError
from cifarbench.files import read_model
from cifarbench.models.sources import model_sources
from cifarbench.plan.checks import check_sources, is_made_here
from cifarbench.plan.grid import Run
from cifarbench.plan.looks import as_of, read_looks, stages
from cifarbench.plan.packs import packs
from cifarbench.plan.plan import make_plan
from cifarbench.records.folder import ADOPTED, RECORD, WEIGHTS
from cifarbench.records.record import Kept, read_record
from cifarbench.words import count

RESULTS = Path("results")
RUNS = RESULTS / "runs"
# Renders whatever is done, for a look at a sweep that is half-way or has failed.
PARTIAL_REPORT = "python -m cifarbench report results/plan.json --output reports"

START_MINUTES = 10  # imports from a slow drive, set-up, the last evaluation
RECORDS = 5  # of a model, whose slowest tells how fast it is
MARGIN = 2  # for evaluation, and a slower machine
# Without a record. Low on purpose: a GPU of the last years does several times that, as a thread with a
# small model does.
IMAGES_PER_SECOND = {"auto": 1000, "cuda": 1000, "cpu": 100}
PROCESS_MB = 4000  # LeNet-5 takes 1,000 on a processor; the rest is for CUDA, or a larger model's activations
DATA_COPIES = 4  # of the file of images, in which a pixel is a byte


@dataclass(frozen=True)
class Training:
    """A job that trains runs in turn, all on one data set and device: rule `train` one, `pack` several."""

    runs: Sequence[Run]
    own_models: Mapping[str, str]
    """The files of the user's own models, by name."""

    @property
    def manifest(self) -> str:
        return f"data/{self.runs[0].config.dataset}/manifest.json"

    @property
    def images(self) -> str:
        return f"data/{self.runs[0].config.dataset}/images.safetensors"

    def of_extra_tests(self, file: str) -> list[str]:
        """Return this file of each data set that the results are tested on, too."""
        names = sorted({name for run in self.runs for name in run.config.extra_tests})
        return [f"data/{name}/{file}" for name in names]

    @property
    def model_files(self) -> list[str]:
        """The files of the user's own that are trained, each model's before those that it imports.

        An edit of one trains again. None for built-in models.
        """
        models = {run.config.model for run in self.runs}
        own = sorted({self.own_models[name] for name in models & self.own_models.keys()})
        return [str(source) for file in own for source in model_sources(Path(file))]

    @property
    def weights_files(self) -> list[str]:
        """The files of weights that are started from, as far as a rule can have them as inputs.

        What is in them is part of the runs' ids, so an edit is another run, and a move trains nothing again.
        """
        return sorted(
            path for path in {run.config.initial_weights for run in self.runs} if may_be_input(path)
        )

    @property
    def gpus(self) -> int:
        return int(self.runs[0].config.device != "cpu")

    def flags(self, *model_files: str) -> list[str]:
        """Return the flags of `cifarbench train` but those that say only where something lies; `model_files`
        is where the `model_files` of one run do."""
        knobs = self.runs[0].config.model_copy(update=dict.fromkeys(PLACES))
        return [*flags(knobs), *(["--model-file", model_files[0]] if model_files else [])]

    def place_flags(self, *weights_files: str) -> str:
        """Return the flags, for a shell, that say only where something lies: no reason to train again.

        `weights_files` is where the `weights_files` of one run lie.
        """
        path = weights_files[0] if weights_files else self.runs[0].config.initial_weights
        return shlex.join(["--initial-weights", path] if path else [])

    def pack_flags(self) -> list[str]:
        """Return one word for each run, as `cifarbench pack` takes them."""
        alone = [Training([run], self.own_models) for run in self.runs]
        return [f"{shlex.join(one.flags(*one.model_files))} {one.place_flags()}".strip() for one in alone]

    def minutes(self, manifest: str, attempt: int) -> int:
        """Return the time to ask for; each attempt asks for more."""
        images = sum(json.loads(Path(manifest).read_text(encoding="utf-8"))["train_images"])
        configs = [run.config for run in self.runs]
        seconds = sum(config.epochs * images / images_per_second(config, RUNS) for config in configs)
        return attempt * math.ceil(START_MINUTES + seconds / 60)


def may_be_input(path: str | None) -> TypeGuard[str]:
    """Tell whether a rule can have a path as an input, which the workflow does not make itself."""
    return path is not None and taken_literally(path) and not is_made_here(path)


def megabytes(images: str, attempt: int) -> int:
    """Return the memory to ask for when training on the file `images`."""
    return attempt * math.ceil(PROCESS_MB + DATA_COPIES * Path(images).stat().st_size / 1e6)


def images_per_second(config: TrainConfig, runs_folder: Path) -> float:
    measured = measured_rates(config.model, runs_folder)
    return min(measured) / MARGIN if measured else IMAGES_PER_SECOND[config.device]


@functools.cache
def measured_rates(model: str, runs_folder: Path) -> list[float]:
    """Return the images per second of a few records of a model."""
    return list(islice(_rates(model, runs_folder), RECORDS))


def _rates(model: str, runs_folder: Path) -> Iterator[float]:
    for path in runs_folder.glob(f"{model_slug(model)}[_-]*/{RECORD}"):  # those of `mine-big` too
        with suppress(UserError):  # `collect` will say what is wrong with it
            record = read_record(path)
            if record.config.model == model:
                yield record.images_per_second


def was_known(kept: Path) -> bool:
    """Tell whether a run was adopted for as long as the config names where it comes from."""
    return kept.exists() and read_model(Kept, kept, "cifarbench adopt").while_known


def names_run(names: Collection[str], run: str) -> bool:
    """Tell whether rules and files mean the training of a run."""
    return "train" in names or any(run in Path(name).parts for name in names)


class Jobs:
    """The plan of a config, and its jobs by the names that stand in their paths.

    Raise UserError for a fault in the config, or a name that it does not have.
    """

    def __init__(self, data: Any, files: Sequence[Path], forced: Collection[str] = ()) -> None:
        """`data` is what Snakemake has read from `files`, and what its call has changed of it; `forced` the
        rules and files of --forcerun.

        A relative path is looked for in the working directory, then beside each file.
        """
        for file in files:
            read(file)  # for what Snakemake lets pass, such as a key that is there twice
        self.config = locate(parse(data), [Path(), *(file.parent for file in files)])
        self.plan = make_plan(self.config)
        check_sources(self.plan.datasets)
        self.runs = {run.id: run for run in self.plan.runs}
        self.adopted: Collection[str] = ()
        """Runs that rule `adopt` takes from known results; set before anything else is asked."""
        self.forced = [run for run in self.runs if names_run(forced, run)]
        """Runs that --forcerun names: they are trained."""
        self.datasets = {dataset.name: dataset for dataset in self.plan.datasets}
        self._own_models = {model.name: model.file for model in self.config.models}

    @cached_property
    def packs(self) -> dict[str, list[str]]:
        """Return the runs of each pack; none of those that are adopted."""
        left = [run for run in self.plan.runs if run.id not in self.adopted]
        return packs(left, self.config.pack, stages(self.plan))

    @cached_property
    def _pack_of(self) -> dict[str, str]:
        return {run: pack for pack, runs in self.packs.items() for run in runs}

    def track_flags(self) -> str:
        """Return what tells a training where to write how it goes, too; no reason to train again."""
        gradients = ["--track-gradients"] if self.config.track_gradients else []
        return " ".join([*(f"--track {tracker}" for tracker in self.config.track), *gradients])

    @property
    def most_looks(self) -> int:
        """How many looks may want more seeds; the last one of a schedule cannot."""
        return max((len(study.schedule) - 1 for study in self.plan.studies if study.schedule), default=0)

    def ids_sha256(self) -> str:
        """Return a hash of the ids of all runs, which follow from the files that the config names, too."""
        return hashlib.sha256(" ".join(self.runs).encode()).hexdigest()

    def looks(self) -> Iterator[int]:
        """Yield the number of each look that there is, or is to be, until one has found nothing open."""
        for number in range(1, self.most_looks + 1):
            yield number
            if read_looks(RESULTS)[number - 1].closed:
                return

    def records(self, looks: int | None = None) -> list[str]:
        """Return what must be there after the looks that there are, or the first few of them: the record of
        each run, and of one that was adopted before and now is not the weights, so that it is trained."""
        runs = [run.id for run in as_of(self.plan, read_looks(RESULTS)[:looks]).runs]
        left = (run for run in runs if run not in self.adopted and was_known(RUNS / run / ADOPTED))
        return [f"{RUNS}/{run}/{RECORD}" for run in runs] + [f"{RUNS}/{run}/{WEIGHTS}" for run in left]

    def adopted_records(self) -> list[str]:
        return [f"{RUNS}/{run}/{RECORD}" for run in self.runs if run in self.adopted]

    def adopted_manifests(self) -> list[str]:
        """Return the manifests of the images that adopted runs are compared by."""
        trainings = [self.train(run) for run in self.adopted]
        return sorted({name for one in trainings for name in (one.manifest, *one.of_extra_tests(MANIFEST))})

    def known_files(self) -> list[str]:
        """Return the known results whose change adopts again: not what comes of the runs itself, nor a path
        that a rule cannot have as an input."""
        return [known.table for known in self.config.known if may_be_input(known.table)]

    def known_flags(self) -> list[str]:
        """Return the known results and the files of own models, as `cifarbench adopt` takes them."""
        own = [flag for name, file in self._own_models.items() for flag in ("--model-file", f"{name}={file}")]
        return [*(known.as_text() for known in self.config.known), *own]

    def but_flags(self) -> str:
        """Return what rule `adopt` leaves alone; no reason to adopt again."""
        return " ".join(f"--but {run}" for run in self.forced)

    def train(self, run: str) -> Training:
        if run not in self.runs:
            raise UserError(
                f"{run!r} is none of this config's {count(len(self.runs), 'run')}; see snakemake -n"
            )
        return Training([self.runs[run]], self._own_models)

    def pack(self, pack: str) -> Training:
        if pack not in self.packs:
            raise UserError(
                f"{pack!r} is none of this config's {count(len(self.packs), 'pack')}; see snakemake -n"
            )
        return Training([self.runs[run] for run in self.packs[pack]], self._own_models)

    def pack_before(self, run: str) -> str | list[str]:
        """Return the output of the pack that trains this run before its own job, which then takes the result.

        Nothing without packs, nor for a run that has a record: a pack with a new member would train it again.
        """
        done = (RUNS / run / RECORD).exists()
        pack = None if done else self._pack_of.get(run)
        return f"results/packs/{pack}.done" if pack else []

    def archives(self) -> list[str]:
        """Return the names of all files that are to be downloaded."""
        return [name for dataset in self.datasets.values() for name in downloads(dataset)]

    def download(self, dataset: str, archive: str) -> Archive:
        return downloads(self.datasets[dataset])[archive]

    def source(self, dataset: str) -> list[str]:
        """Return the downloaded archives of a data set, its local archive or folder, or nothing (digits).

        Nothing either for a local path that a rule cannot have as an input; `plan` has seen that it is there.
        """
        local = self.datasets[dataset].source
        downloaded = [f"data/{dataset}/{name}" for name in downloads(self.datasets[dataset])]
        return downloaded or ([local] if local and taken_literally(local) else [])

    def source_flags(self, dataset: str, staged: Sequence[str]) -> list[str]:
        """Return the flags of `cifarbench normalise`; `staged` is where the source lies for the job."""
        facts = self.datasets[dataset]
        sources = staged or ([facts.source] if facts.source else [])
        return [*(["--source", *sources] if sources else []), *read_flags(facts)]

    def content(self, dataset: str) -> str | None:
        """Return the hash of the source, wherever it lies: only another content is normalised again."""
        facts = self.datasets[dataset]
        remote = downloads(facts).values()
        if remote or facts.source is None or not Path(facts.source).exists():
            return " ".join(archive.checksum or archive.url for archive in remote) or None
        manifest = Path("data", dataset, "manifest.json")
        recorded = None
        with suppress(UserError):  # of a manifest that is broken, and made again
            recorded = read_manifest(manifest.parent).source_sha256
        return known_sha256(Path(facts.source), manifest, recorded)
