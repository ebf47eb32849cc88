"""One training job per run: a model, its hyper-parameters and a seed.

REQUIRED INPUTS: data/<dataset>/manifest.json, data/<dataset>/images.safetensors
OUTPUTS: results/runs/<run>/metrics.json, weights.safetensors, predictions.safetensors
"""


rule train:
    """Train one run and write its record, weights and test predictions."""
    input:
        manifest=manifest_of,
        images=ancient(images_of),
        model_file=own_model,
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
            2>{log:q}
        """
