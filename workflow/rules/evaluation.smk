rule evaluate:
    """Every metric on every map of one method, on one trained network; metrics that stand as they should are kept."""
    input:
        **paths("data", "weights"),
        maps=paths("explain_maps")["explain_maps"],
    output:
        **paths("index"),
    log:
        beside("index", "logs"),
    benchmark:
        beside("index", "benchmarks")
    conda:
        "../../envs/pipeline.yaml"
    threads: 1
    resources:
        gpu=GPU,
        mem_mb=4000,
        runtime=240,
        batch_size=config["batch_size"],
    params:
        settings=settings("evaluate"),
        code=code("evaluate"),
    shell:
        "python -m pipeline.gpu {resources.gpu} -- python -m pipeline.evaluate --data {input.data}"
        " --weights {input.weights} --maps {input.maps} --index {output.index} {params.settings}"
        " --batch-size {resources.batch_size} --gpu {resources.gpu} --threads {threads} 2> {log}"
