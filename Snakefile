# The workflow: config -> plan -> data -> one training per run -> table -> report.
#
#   snakemake --cores 4 --resources gpu=1                      # config.yaml, the published benchmark
#   snakemake --cores 4 --configfile mine.yaml --directory out # a config of your own, results in out/
from snakemake.utils import min_version

min_version("9.19")


include: "rules/common.smk"


rule all:
    """Train every run of the config and render the report."""
    input:
        "reports/index.html",
        # A page that is there already, published or of a sweep half-way, must not hide what is still to be trained.
        wanted,


include: "rules/plan.smk"
include: "rules/data.smk"
include: "rules/train.smk"
include: "rules/adopt.smk"


if JOBS.most_looks:

    include: "rules/seeds.smk"


include: "rules/report.smk"
include: "rules/look.smk"
