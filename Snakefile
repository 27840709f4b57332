import re

from snakemake.utils import min_version

min_version("9.0")


if not workflow.config_settings.configfiles:

    configfile: "config.yaml"


include: "workflow/rules/common.smk"


wildcard_constraints:
    dataset="|".join(map(re.escape, config["datasets"])),
    model="|".join(map(re.escape, config["models"])),
    method="|".join(map(re.escape, config["methods"])),
    seed="[0-9]+",
    split="explain|train|test",
    mode="roar|kar",
    address="[^/]+",


report: "workflow/report/workflow.rst"


include: "workflow/rules/data.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/attribution.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/retraining.smk"
include: "workflow/rules/rendering.smk"


localrules:
    all,
    download,
    tally,
    summarise,
    exhibit,
    exhibit_randomised,
    draw,
    tabulate,
    page,


rule all:
    default_target: True
    input:
        plan.targets(config),
