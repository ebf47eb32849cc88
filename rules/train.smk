"""One training job per run: a model, its hyper-parameters and a seed.

REQUIRED INPUTS: data/<dataset>/manifest.json, data/<dataset>/images.safetensors
OUTPUTS: results/runs/<run>/metrics.json, weights.safetensors, predictions.safetensors
"""

if JOBS.packs:

    rule pack:
        """Train several short runs in one process; rule train then takes each one's result."""
        input:
            manifest=lambda wildcards: JOBS.pack(wildcards.pack).manifest,
            images=ancient(lambda wildcards: JOBS.pack(wildcards.pack).images),
            extra_manifests=lambda wildcards: JOBS.pack(wildcards.pack).of_extra_tests("manifest.json"),
            extra_images=ancient(
                lambda wildcards: JOBS.pack(wildcards.pack).of_extra_tests("images.safetensors")
            ),
            model_files=lambda wildcards: JOBS.pack(wildcards.pack).model_files,
            weights=ancient(lambda wildcards: JOBS.pack(wildcards.pack).weights_files),
        output:
            touch("results/packs/{pack}.done"),
        log:
            "results/packs/{pack}.log",
        conda:
            "../envs/cifarbench.yaml"
        threads: 1
        resources:
            gpu=lambda wildcards: gpus(JOBS.pack(wildcards.pack)),
            runtime=lambda wildcards, input, attempt: JOBS.pack(wildcards.pack).minutes(
                input.manifest, attempt
            ),
            mem_mb=lambda wildcards, input, attempt: cifarbench.sweep.jobs.megabytes(input.images, attempt),
            checkpoint_minutes=5,
            track=JOBS.track_flags(),
        params:
            runs=lambda wildcards: JOBS.pack(wildcards.pack).pack_flags(),
            data=subpath(input.manifest, parent=True),
        shell:
            r"""
            python -m cifarbench pack {params.runs:q} \
                --data {params.data} \
                --output results/runs \
                --threads {threads} \
                --checkpoint-minutes {resources.checkpoint_minutes} {resources.track} \
                2>{log:q}
            """


rule train:
    """Train one run and write its record, weights and test predictions."""
    input:
        manifest=lambda wildcards: JOBS.train(wildcards.run).manifest,
        images=ancient(lambda wildcards: JOBS.train(wildcards.run).images),
        extra_manifests=lambda wildcards: JOBS.train(wildcards.run).of_extra_tests("manifest.json"),
        extra_images=ancient(lambda wildcards: JOBS.train(wildcards.run).of_extra_tests("images.safetensors")),
        # Called for every run, so only where there can be an answer.
        model_file=(lambda wildcards: JOBS.train(wildcards.run).model_files) if JOBS.config.models else [],
        weights=ancient(lambda wildcards: JOBS.train(wildcards.run).weights_files),
        pack=ancient(lambda wildcards: JOBS.pack_before(wildcards.run)) if JOBS.packs else [],
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
        gpu=lambda wildcards: gpus(JOBS.train(wildcards.run)),
        runtime=lambda wildcards, input, attempt: JOBS.train(wildcards.run).minutes(input.manifest, attempt),
        mem_mb=lambda wildcards, input, attempt: cifarbench.sweep.jobs.megabytes(input.images, attempt),
        checkpoint_minutes=5,
        track=JOBS.track_flags(),
        places=lambda wildcards, input: JOBS.train(wildcards.run).place_flags(*input.get("weights", [])),
    params:
        knobs=lambda wildcards, input: JOBS.train(wildcards.run).flags(*input.get("model_file", [])),
        data=subpath(input.manifest, parent=True),
        folder=subpath(output.record, parent=True),
    shell:
        r"""
        python -m cifarbench train \
            {params.knobs:q} {resources.places} \
            --data {params.data} \
            --output {params.folder} \
            --threads {threads} \
            --checkpoint-minutes {resources.checkpoint_minutes} {resources.track} \
            2>{log:q}
        """
