from pathlib import Path

from jinja2 import Template
from snakemake.exceptions import WorkflowError

from pipeline import choices, cli, plan, provenance, reads
from pipeline.config import complete
from pipeline.gpu import wanted
from pipeline.plan import beside

try:
    config.update(complete(config))
except ValueError as error:
    raise WorkflowError(error)

GPU = wanted(config["device"])

# Jobs run `python -m pipeline.<step>` wherever the working directory is.
shell.prefix("export PYTHONPATH={workflow.basedir:q}; ")

# Snakemake fills no wildcards into the name of a caption's file, so caption.rst, which all share, takes each text from here.
REPORT = Path(workflow.basedir, "workflow", "report")
config["captions"] = {path.stem: Template(path.read_text(encoding="utf-8")) for path in REPORT.glob("*.rst")}


def paths(*names):
    """Path patterns of results, by the names that pipeline/plan.py gives them, for `input:` and `output:`."""
    return {name: plan.PATHS[name].replace("{results}", config["results"]) for name in names}


def settings(step):
    """Params function: what the config decides about the job's result, as the flags of the step."""
    return lambda wildcards: cli.flags(choices.settings(step, config, wildcards))


def code(step, module=None):
    """Params function: fingerprint of the step and of the plug-ins that its settings name."""
    return lambda wildcards: provenance.code(module or step, choices.settings(step, config, wildcards))
