"""The plan, the table of all runs and the report.

REQUIRED INPUTS: results/runs/<run>/metrics.json of every run of the config
OUTPUTS: results/plan.json, results/runs.parquet, results/pictures.parquet, and in reports/ the page, its figures
and tables, and the plan and table it is made from
"""


localrules:
    all,
    plan,
    collect,
    pictures,
    report,
    partial,
    published,


rule plan:
    """Write down every run of the config, its id and the studies that need it, and the claims that they test."""
    input:
        claims=CONFIG.claims or [],
    output:
        "results/plan.json",
    log:
        "results/plan.log",
    conda:
        "../envs/cifarbench.yaml"
    params:
        config=CONFIG.model_dump_json(exclude_defaults=True),
    shell:
        r"""
        python -m cifarbench plan - --output {output} <<<{params.config:q} >{log} 2>&1
        """


rule collect:
    """Gather all records into one tidy table."""
    input:
        plan="results/plan.json",
        records=records(),
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
        speed=bench_figures,
    output:
        page=report("reports/index.html", category="Page"),
        plan="reports/plan.json",
        table="reports/runs.parquet",
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
            --output {params.folder} \
            2>{log}
        """


rule partial:
    """Render the report from the runs that are done so far; it says what is missing."""
    input:
        "results/plan.json",
    log:
        "results/partial.log",
    conda:
        "../envs/cifarbench.yaml"
    shell:
        f"({cifarbench.machine.PARTIAL_REPORT}) 2>{{log}}"


rule published:
    """Draw the published report again, from the plan and the table that lie beside it."""
    log:
        "results/published.log",
    conda:
        "../envs/cifarbench.yaml"
    shell:
        r"""
        python -m cifarbench report reports/plan.json reports/runs.parquet --output reports 2>{log}
        """


onerror:
    # What is done is worth a look, whatever failed.
    if Path("results/plan.json").exists():
        shell(cifarbench.machine.PARTIAL_REPORT)
