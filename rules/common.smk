"""What the rules share: the jobs of the config. What a job needs is asked of them; only what must be Snakemake's is here."""

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir) / "workflow"))

# Snakefiles share their names with Snakemake's own module, so functions are not imported into it.
import cifarbench.errors
import cifarbench.machine
import cifarbench.sweep.jobs
import cifarbench.sweep.snakemake_internals

internals = cifarbench.sweep.snakemake_internals
# A --configfile would be merged into a config that is loaded here, so none is when one is given.
if not internals.configfile_given(workflow):

    configfile: Path(workflow.basedir) / "config.yaml"


cifarbench.machine.prefer_this_python()

# The shell of a job waits for its command when it is told to stop. It would die at once, the job would pass for
# over, and the batch system would kill the training that is still saving itself.
shell.prefix("trap : TERM; ")

try:
    JOBS = cifarbench.sweep.jobs.Jobs(config, internals.config_files(workflow), internals.forced())
    if JOBS.config.known:
        import cifarbench.analysis.adopt  # only here, because tables take a second to read

        known = cifarbench.analysis.adopt.of_jobs(JOBS)
        JOBS.adopted = set(known.runs)
        if internals.is_main(workflow):
            print(*known.in_words(), sep="\n", file=sys.stderr)
except cifarbench.errors.UserError as error:
    raise WorkflowError(str(error)) from None

if internals.is_main(workflow) and internals.left_locked(Path()):
    print(internals.unlock_hint(Path()), file=sys.stderr)


wildcard_constraints:
    run="[^/]+",
    dataset="|".join(map(re.escape, JOBS.datasets)),
    archive="|".join(map(re.escape, JOBS.archives())) or "(?!)",
    pack="[^/]+",
    number="[0-9]+",


def wanted(_):
    """The records of all runs; with a schedule of seeds, of those that are wanted after the last look."""
    for number in JOBS.looks():
        checkpoints.look.get(number=number)
    return JOBS.records()


def wanted_before(wildcards):
    """The records that a look needs."""
    before = int(wildcards.number) - 1
    if before:
        checkpoints.look.get(number=before)
    return JOBS.records(before)


def gpus(training):
    """The GPUs that a job asks for; none where it trains here and there is none.

    What the machines of a cluster have, this one cannot tell.
    """
    there = not internals.trains_here(workflow) or cifarbench.machine.has_nvidia_gpu()
    return training.gpus if there else 0
