"""The table of all runs and the report.

REQUIRED INPUTS: results/plan.json, results/runs/<run>/metrics.json of every run of the config
OUTPUTS: results/runs.parquet, results/pictures.parquet, and in reports/ the page, its figures and tables, and the
plan and table it is made from
"""


localrules:
    collect,
    pictures,
    report,


rule collect:
    """Gather all records into one tidy table."""
    input:
        plan="results/plan.json",
        records=wanted,
    output:
        "results/runs.parquet",
    log:
        "results/collect.log",
    conda:
        "../envs/cifarbench.yaml"
    shell:
        r"""
        python -m cifarbench collect {input.plan} --runs results/runs --output {output} 2>{log}
        """


rule pictures:
    """Pick the test images that say most of where models fail."""
    input:
        plan="results/plan.json",
        table="results/runs.parquet",
    output:
        "results/pictures.parquet",
    log:
        "results/pictures.log",
    conda:
        "../envs/cifarbench.yaml"
    shell:
        r"""
        python -m cifarbench pictures {input.plan} {input.table} --output {output} 2>{log}
        """


rule report:
    """Render the report from the plan, the table and the pictures alone."""
    input:
        plan="results/plan.json",
        table="results/runs.parquet",
        pictures="results/pictures.parquet",
        # What `make bench` measured, if it has run.
        evaluated=lambda _: sorted(map(str, Path("results/evaluated").glob("*/evaluated.json"))),
        speed=lambda _: "results/bench.json" if Path("results/bench.json").exists() else [],
        # And what `cifarbench verify` found; the report looks for it beside the table.
        verified=lambda _: "results/verified.json" if Path("results/verified.json").exists() else [],
    output:
        page=report("reports/index.html", category="Page"),
        plan="reports/plan.json",
        table=update("reports/runs.parquet"),  # kept if this fails: it may be what is known
        figures=report(directory("reports/figures"), patterns=["{name}.svg"], category="Figures"),
        tables=report(directory("reports/tables"), patterns=["{name}.csv"], category="Tables"),
    log:
        "results/report.log",
    conda:
        "../envs/cifarbench.yaml"
    params:
        folder=subpath(output.page, parent=True),
    shell:
        r"""
        python -m cifarbench report {input.plan} {input.table} \
            --pictures {input.pictures} \
            --speed results/bench.json \
            --evaluated results/evaluated \
            --output {params.folder} \
            2>{log}
        """
