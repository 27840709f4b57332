rule download:
    """One data set, as uint8 images with labels, from its source files, which are fetched where they are missing."""
    output:
        **paths("data"),
    log:
        beside("data", "logs"),
    benchmark:
        beside("data", "benchmarks")
    conda:
        "../../envs/pipeline.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
        sources=config["data_dir"],
    params:
        settings=settings("download"),
        code=code("download"),
    shell:
        "python -m pipeline.download --data {output.data} --sources {resources.sources:q} {params.settings} 2> {log}"
