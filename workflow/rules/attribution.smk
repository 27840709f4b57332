rule attribute:
    """Attribution maps of one method, for the images of one split, on one trained network."""
    input:
        **paths("data", "weights", "predictions"),
    output:
        **paths("maps"),
    log:
        beside("maps", "logs"),
    benchmark:
        beside("maps", "benchmarks")
    conda:
        "../../envs/pipeline.yaml"
    threads: 1
    resources:
        gpu=GPU,
        mem_mb=4000,
        runtime=240,
        batch_size=config["batch_size"],
    params:
        settings=settings("attribute"),
        code=code("attribute"),
    shell:
        "python -m pipeline.gpu {resources.gpu} -- python -m pipeline.attribute --data {input.data}"
        " --weights {input.weights} --predictions {input.predictions} --maps {output.maps} {params.settings}"
        " --batch-size {resources.batch_size} --gpu {resources.gpu} --threads {threads} 2> {log}"
