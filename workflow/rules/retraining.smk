rule retrain_undegraded:
    """Networks trained anew on whole images: the point at fraction 0 that every method shares."""
    input:
        **paths("data"),
    output:
        **paths("undegraded"),
    log:
        beside("undegraded", "logs"),
    benchmark:
        beside("undegraded", "benchmarks")
    conda:
        "../../envs/pipeline.yaml"
    threads: 1
    resources:
        gpu=GPU,
        mem_mb=4000,
        runtime=720,
    params:
        settings=settings("retrain_undegraded"),
        code=code("retrain_undegraded", "retrain"),
    shell:
        "python -m pipeline.gpu {resources.gpu} -- python -m pipeline.retrain --data {input.data}"
        " --results {output.undegraded} {params.settings} --gpu {resources.gpu} --threads {threads} 2> {log}"


rule retrain:
    """Networks trained anew on images without the pixels that a map ranks highest (ROAR) or lowest (KAR)."""
    input:
        **paths("data"),
        train_maps=lambda w: plan.path("train_maps", config, dict(w) | {"method": plan.split_address(w.address)[0]}),
        test_maps=lambda w: plan.path("test_maps", config, dict(w) | {"method": plan.split_address(w.address)[0]}),
    output:
        **paths("retrained"),
    log:
        beside("retrained", "logs"),
    benchmark:
        beside("retrained", "benchmarks")
    conda:
        "../../envs/pipeline.yaml"
    threads: 1
    resources:
        gpu=GPU,
        mem_mb=4000,
        runtime=720,
    params:
        settings=settings("retrain"),
        code=code("retrain"),
    shell:
        "python -m pipeline.gpu {resources.gpu} -- python -m pipeline.retrain --data {input.data}"
        " --train-maps {input.train_maps} --test-maps {input.test_maps} --results {output.retrained} {params.settings}"
        " --gpu {resources.gpu} --threads {threads} 2> {log}"
