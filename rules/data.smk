"""Data sets, each normalised once.

REQUIRED INPUTS: none, or the local archive or folder that the config names.
OUTPUTS: data/<dataset>/images.safetensors, data/<dataset>/manifest.json
"""


# The machines that train have often no way to the net.
localrules:
    download,
    normalise,


rule download:
    """Download the archive of a data set and verify its checksum."""
    output:
        "data/{dataset}/{archive}",
    log:
        "data/{dataset}/{archive}.log",
    conda:
        "../envs/cifarbench.yaml"
    params:
        url=lambda wildcards: JOBS.download(wildcards.dataset, wildcards.archive).url,
        checksum=lambda wildcards: JOBS.download(wildcards.dataset, wildcards.archive).checksum or "none",
    shell:
        r"""
        python -m cifarbench download \
            --url {params.url:q} \
            --checksum {params.checksum} \
            --output {output:q} \
            2>{log:q}
        """


rule normalise:
    """Turn a data set into one file of uint8 images and a manifest."""
    input:
        source=ancient(lambda wildcards: JOBS.source(wildcards.dataset)),
    output:
        images="data/{dataset}/images.safetensors",
        manifest="data/{dataset}/manifest.json",
    log:
        "data/{dataset}/normalise.log",
    conda:
        "../envs/cifarbench.yaml"
    params:
        format=lambda wildcards: JOBS.datasets[wildcards.dataset].format,
        source=lambda wildcards, input: JOBS.source_flags(wildcards.dataset, input.get("source", [])),
        folder=subpath(output.manifest, parent=True),
        content=lambda wildcards: JOBS.content(wildcards.dataset),
    shell:
        r"""
        python -m cifarbench normalise \
            --name {wildcards.dataset} \
            --format {params.format} \
            {params.source:q} \
            --output {params.folder} \
            2>{log:q}
        """
