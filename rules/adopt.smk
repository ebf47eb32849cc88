"""Runs that known results hold, taken from there instead of trained.

REQUIRED INPUTS: what the config names under `known`, data/<dataset>/manifest.json
OUTPUTS: results/runs/<run>/metrics.json of these runs
"""

if JOBS.adopted:

    localrules:
        adopt,

    ruleorder: adopt > train

    rule adopt:
        """Take every run that known results hold and that would be trained the same here, all at once."""
        input:
            plan=ancient("results/plan.json"),
            known=JOBS.known_files(),
            manifests=JOBS.adopted_manifests(),
        output:
            JOBS.adopted_records(),
        log:
            "results/adopt.log",
        priority: 1  # a look at a sweep that is half-way should have them
        conda:
            "../envs/cifarbench.yaml"
        resources:
            but=JOBS.but_flags(),
        params:
            known=lambda _: JOBS.known_flags(),
        message:
            f"Take {len(JOBS.adopted)} runs from known results: cifarbench adopt, see {{log}}"
        shell:
            r"""
            python -m cifarbench adopt {params.known:q} \
                --plan {input.plan} \
                --while-known {resources.but} \
                >{log} 2>&1
            """
