rule summarise:
    """The whole study as tidy frames, every number with its interval, and a summary of what was done and left out."""
    input:
        reads.summarised(config["results"], choices.settings("summarise", config, {})["study"]).values(),
    output:
        **paths(*plan.OUTPUTS["summarise"]),
    log:
        "logs/summary.log",
    benchmark:
        "benchmarks/summary.tsv"
    conda:
        "../../envs/pipeline.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        results=lambda w, output: str(Path(output.summary).parent),
        settings=settings("summarise"),
        code=code("summarise"),
    shell:
        "python -m pipeline.summarise --results {params.results:q} --summary {output.summary} {params.settings} 2> {log}"


rule exhibit:
    """A few images of each class with what every method says of them."""
    input:
        **paths("data"),
        maps=lambda w: reads.exhibited(config, w),
    output:
        **paths("gallery"),
    log:
        beside("gallery", "logs"),
    benchmark:
        beside("gallery", "benchmarks")
    conda:
        "../../envs/pipeline.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        settings=settings("exhibit"),
        code=code("exhibit"),
    shell:
        "python -m pipeline.exhibit --data {input.data} --maps {input.maps} --pictures {output.gallery}"
        " {params.settings} 2> {log}"


rule exhibit_randomised:
    """A few images with what every method says of them while the network's layers are drawn anew."""
    input:
        **paths("data"),
        maps=lambda w: reads.exhibited(config, w),
        indexes=lambda w: reads.exhibited(config, w, "index"),
    output:
        **paths("randomised"),
    log:
        beside("randomised", "logs"),
    benchmark:
        beside("randomised", "benchmarks")
    conda:
        "../../envs/pipeline.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        settings=settings("exhibit_randomised"),
        code=code("exhibit_randomised"),
    shell:
        "python -m pipeline.exhibit_randomised --data {input.data} --maps {input.maps} --indexes {input.indexes}"
        " --pictures {output.randomised} {params.settings} 2> {log}"


rule tabulate:
    """One table of the study, as CSV, Markdown, LaTeX and HTML."""
    input:
        frame=lambda w: reads.frame(config, w.table, w),
    output:
        **paths("table_csv", "table_markdown", "table_latex"),
        html=report(
            paths("table_html")["table_html"],
            caption="caption.rst",
            category="1 Tables",
            labels={"table": "{table}"},
        ),
    log:
        beside("table_csv", "logs"),
    benchmark:
        beside("table_csv", "benchmarks")
    conda:
        "../../envs/pipeline.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        settings=settings("tabulate"),
        code=code("tabulate"),
    shell:
        "python -m pipeline.tabulate --frame {input.frame} --csv {output.table_csv} --markdown {output.table_markdown}"
        " --latex {output.table_latex} --html {output.html} {params.settings} 2> {log}"


rule draw:
    """One figure of one network on one data set, as SVG, PNG and PDF."""
    input:
        frame=lambda w: reads.frame(config, w.figure, w),
    output:
        **paths("figure_png", "figure_pdf"),
        svg=report(
            paths("figure_svg")["figure_svg"],
            caption="caption.rst",
            category="2 Figures",
            labels={"data set": "{dataset}", "network": "{model}", "figure": "{figure}"},
        ),
    log:
        beside("figure_svg", "logs"),
    benchmark:
        beside("figure_svg", "benchmarks")
    conda:
        "../../envs/pipeline.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        settings=settings("draw"),
        code=code("draw"),
    shell:
        "python -m pipeline.draw --frame {input.frame} --svg {output.svg} --png {output.figure_png}"
        " --pdf {output.figure_pdf} {params.settings} 2> {log}"


rule page:
    """Every figure and table of the study on one page that opens from the file system."""
    input:
        reads.sources().values(),
        figures=reads.drawn(config),
        tables=reads.tabulated(config),
    output:
        **paths("page"),
    log:
        beside("page", "logs"),
    benchmark:
        beside("page", "benchmarks")
    conda:
        "../../envs/pipeline.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        results=lambda w, output: str(Path(output.page).parents[1]),
        settings=settings("page"),
        code=code("page"),
    shell:
        "python -m pipeline.page --results {params.results:q} --figures {input.figures} --tables {input.tables}"
        " --page {output.page} {params.settings} 2> {log}"
