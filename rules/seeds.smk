"""Seeds where they are needed: looks at the runs so far, after which only what is undecided gets more.

REQUIRED INPUTS: results/plan.json, results/runs/<run>/metrics.json of every run that is wanted before the look
OUTPUTS: results/looks/<number>.json
"""


localrules:
    look,


checkpoint look:
    """Look which questions are still open."""
    input:
        plan="results/plan.json",
        records=wanted_before,
    output:
        "results/looks/{number}.json",
    log:
        "results/looks/{number}.log",
    conda:
        "../envs/cifarbench.yaml"
    shell:
        r"""
        python -m cifarbench look {input.plan} \
            --number {wildcards.number} \
            --output {output} \
            2>{log}
        """
