"""Looks at what is there, which train nothing.

REQUIRED INPUTS: results/plan.json and what is done of results/runs; or, for the published report, its plan and table
OUTPUTS: reports/
"""


localrules:
    partial,
    published,


rule partial:
    """Render the report from the runs that are done so far; it says what is missing."""
    input:
        "results/plan.json",
        JOBS.adopted_records(),
    log:
        "results/partial.log",
    conda:
        "../envs/cifarbench.yaml"
    shell:
        f"({cifarbench.sweep.jobs.PARTIAL_REPORT}) 2>{{log}}"


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
    # What is done is worth a look, whatever failed; but not in place of known results that are not taken yet.
    if all(Path(file).exists() for file in ["results/plan.json", *JOBS.adopted_records()]):
        shell(cifarbench.sweep.jobs.PARTIAL_REPORT)
