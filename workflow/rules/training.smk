rule train:
    """One network on one data set, from one seed."""
    input:
        **paths("data"),
    output:
        **paths("weights", "history"),
    log:
        beside("weights", "logs"),
    benchmark:
        beside("weights", "benchmarks")
    conda:
        "../../envs/pipeline.yaml"
    threads: 1
    resources:
        gpu=GPU,
        mem_mb=4000,
        runtime=240,
    params:
        settings=settings("train"),
        code=code("train"),
    shell:
        "python -m pipeline.gpu {resources.gpu} -- python -m pipeline.train --data {input.data}"
        " --weights {output.weights} --history {output.history} {params.settings}"
        " --gpu {resources.gpu} --threads {threads} 2> {log}"


rule predict:
    """What the trained network answers to every image, and how often it is right."""
    input:
        **paths("data", "weights"),
    output:
        **paths("predictions", "accuracy"),
    log:
        beside("predictions", "logs"),
    benchmark:
        beside("predictions", "benchmarks")
    conda:
        "../../envs/pipeline.yaml"
    threads: 1
    resources:
        gpu=GPU,
        mem_mb=4000,
        runtime=60,
        batch_size=config["batch_size"],
    params:
        settings=settings("predict"),
        code=code("predict"),
    shell:
        "python -m pipeline.gpu {resources.gpu} -- python -m pipeline.predict --data {input.data}"
        " --weights {input.weights} --predictions {output.predictions} --accuracy {output.accuracy} {params.settings}"
        " --batch-size {resources.batch_size} --gpu {resources.gpu} --threads {threads} 2> {log}"
