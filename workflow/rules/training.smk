rule train:
    """One network on one data set, from one seed, or from weights that are given."""
    input:
        **paths("data"),
        initial=lambda w: reads.initial(config, w),
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
        sources=config["data_dir"],
    params:
        settings=settings("train"),
        code=code("train"),
    shell:
        "python -m pipeline.gpu {resources.gpu} -- python -m pipeline.train --data {input.data}"
        " --weights {output.weights} --history {output.history} --initial={input.initial:q}"
        " --sources {resources.sources:q} {params.settings}"
        " --gpu {resources.gpu} --threads {threads} 2> {log}"


rule predict:
    """What the trained network answers to every image."""
    input:
        **paths("data", "weights"),
    output:
        **paths("predictions"),
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
        " --weights {input.weights} --predictions {output.predictions} {params.settings}"
        " --batch-size {resources.batch_size} --gpu {resources.gpu} --threads {threads} 2> {log}"


rule tally:
    """How often the network is right on the test images, and how much more often where it is more confident."""
    input:
        **paths("data", "predictions"),
    output:
        **paths("accuracy", "coverage"),
    log:
        beside("accuracy", "logs"),
    benchmark:
        beside("accuracy", "benchmarks")
    conda:
        "../../envs/pipeline.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        settings=settings("tally"),
        code=code("tally"),
    shell:
        "python -m pipeline.tally --data {input.data} --predictions {input.predictions}"
        " --accuracy {output.accuracy} --coverage {output.coverage} {params.settings} 2> {log}"
