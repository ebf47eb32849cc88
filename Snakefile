# The workflow: config -> plan -> data -> one training per run -> table -> report.
#
#   snakemake --cores 4 --resources gpu=1                      # config.yaml, the published benchmark
#   snakemake --cores 4 --configfile mine.yaml --directory out # a config of your own, results in out/
from snakemake.utils import min_version

min_version("9.19")


# --configfile would be merged into a config that is loaded here, so none is when one is given.
if not workflow.overwrite_configfiles:

    configfile: Path(workflow.basedir) / "config.yaml"


rule all:
    """Train every run of the config and render the report."""
    input:
        "reports/index.html",
        # A page that is there already, published or of a sweep half-way, must not hide what is still to be trained.
        lambda _: records(),


include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/train.smk"
include: "rules/report.smk"
