"""Every run of the config.

REQUIRED INPUTS: the file of claims, if the config names one
OUTPUTS: results/plan.json
"""


localrules:
    all,
    plan,


rule plan:
    """Write down every run of the config, its id and the studies that need it, and the claims that they test."""
    input:
        claims=JOBS.config.claims or [],
    output:
        "results/plan.json",
    log:
        "results/plan.log",
    conda:
        "../envs/cifarbench.yaml"
    params:
        # A function, for its text has braces that Snakemake would fill in.
        config=lambda _: JOBS.config.model_dump_json(exclude_defaults=True, exclude={"known"}),
        ids=JOBS.ids_sha256(),
    shell:
        r"""
        python -m cifarbench plan - --output {output} <<<{params.config:q} >{log} 2>&1
        """
