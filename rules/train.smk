"""One training job per run: a model, its hyper-parameters and a seed.

REQUIRED INPUTS: data/<dataset>/manifest.json, data/<dataset>/images.safetensors
OUTPUTS: results/runs/<run>/metrics.json, weights.safetensors, predictions.safetensors
"""

if PACKS:

    rule pack:
        """Train several short runs in one process; rule train then takes each one's result."""
        input:
            manifest=lambda wildcards: manifest_of(first_of(wildcards)),
            images=ancient(lambda wildcards: images_of(first_of(wildcards))),
            model_files=own_models,
        output:
            touch("results/packs/{pack}.done"),
        log:
            "results/packs/{pack}.log",
        conda:
            "../envs/cifarbench.yaml"
        threads: 1
        resources:
            gpu=lambda wildcards: gpus(first_of(wildcards)),
            runtime=pack_minutes,
            mem_mb=megabytes,
            checkpoint_minutes=5,
        params:
            runs=pack_flags,
            data=subpath(input.manifest, parent=True),
        shell:
            r"""
            python -m cifarbench pack {params.runs:q} \
                --data {params.data} \
                --output results/runs \
                --threads {threads} \
                --checkpoint-minutes {resources.checkpoint_minutes} \
                2>{log:q}
            """


rule train:
    """Train one run and write its record, weights and test predictions."""
    input:
        manifest=manifest_of,
        images=ancient(images_of),
        # Called for every run, so only where there can be an answer.
        model_file=own_model if CONFIG.models else [],
        pack=ancient(pack_of) if PACKS else [],
    output:
        record="results/runs/{run}/metrics.json",
        weights="results/runs/{run}/weights.safetensors",
        predictions="results/runs/{run}/predictions.safetensors",
    log:
        "results/runs/{run}/train.log",
    conda:
        "../envs/cifarbench.yaml"
    threads: 1
    resources:
        gpu=gpus,
        runtime=train_minutes,
        mem_mb=megabytes,
        checkpoint_minutes=5,
    params:
        knobs=train_flags,
        data=subpath(input.manifest, parent=True),
        folder=subpath(output.record, parent=True),
    shell:
        r"""
        python -m cifarbench train \
            {params.knobs:q} \
            --data {params.data} \
            --output {params.folder} \
            --threads {threads} \
            --checkpoint-minutes {resources.checkpoint_minutes} \
            2>{log:q}
        """
