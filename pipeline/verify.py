"""Step: hold every result against the config, say what does not match, and take its marker away so that it is due.

For results that were copied, or whose .snakemake folder is lost: Snakemake then has only file times to go by.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from snakemake.utils import update_config

from pipeline import choices, cli, config, plan, provenance, reads, store
from pipeline.progress import progress

MODULES = {"retrain_undegraded": "retrain"}  # jobs whose step has another name


def main(configfiles: list[str]) -> None:
    """Check provenance and digest of every result of a study; exit status 1 where something did not match.

    Args:
        configfiles: the config, and overlays in the order that Snakemake gets them.
    """
    study: dict[str, Any] = {}
    for path in configfiles:
        update_config(study, _config(path))
    study = config.complete(study)
    jobs = list(plan.jobs(study))
    bad, missing = [], 0
    for step, wildcards in progress(jobs, len(jobs), "results"):
        outputs = [Path(plan.path(name, study, wildcards)) for name in plan.OUTPUTS[step]]
        if not all(path.exists() for path in outputs):
            missing += 1
        elif reason := next(mismatches(study, step, wildcards, outputs), None):
            logging.warning("%s: %s; taken away", outputs[0], reason)
            bad.append(outputs[0])
    for first in bad:  # only now, for a result that matches may have been made from it
        first.unlink()
    good = len(jobs) - len(bad) - missing
    logging.info("%d results: %d match, %d do not, %d are not there", len(jobs), good, len(bad), missing)
    if bad:
        raise SystemExit(1)


def _config(path: str) -> dict[str, Any]:
    try:
        return yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not sound YAML: {error}") from None


def mismatches(study: Mapping[str, Any], step: str, wildcards: Mapping[str, Any], outputs: list[Path]) -> Iterator[str]:
    """Yield in which ways the outputs of a job are not what the config asks for."""
    try:
        sidecars = [path for path in map(provenance.sidecar, outputs) if path.exists()]
        seals = [json.loads(path.read_text(encoding="utf-8")) for path in sidecars]
        sealed = {name: digest for seal in seals for name, digest in seal["files"].items()}
        yield from (damage for path in outputs for damage in _damage(path, sealed))
        found = _provenance(outputs[0], seals)
        settings = choices.settings(step, study, wildcards)
        expected = provenance.record(MODULES.get(step, step), settings, reads.inputs(step, study, wildcards))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        yield f"its provenance cannot be read or its inputs are gone ({error})"
        return
    for key, value in expected.items():
        if found.get(key) != value and (step, key) != ("download", "inputs"):  # its source files were checked then
            yield "; ".join(_differences(key, found.get(key), value))


def _provenance(first: Path, seals: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the record that outputs carry: in the sidecar of files, in a store's marker, in an index."""
    if first.name == "zarr.json":
        return store.attributes(first)["provenance"]
    if first.name == "index.json":
        return json.loads(first.read_text(encoding="utf-8"))["provenance"]
    return seals[0]["provenance"]


def _damage(path: Path, files: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong with the bytes of an output: of a store, of the stores of an index, of a file."""
    try:
        if path.name == "zarr.json":
            store.verify(path)
        elif path.name == "index.json":
            for name, digest in json.loads(path.read_text(encoding="utf-8"))["stores"].items():
                store.verify(marker := path.with_name(f"{name}.zarr") / "zarr.json")
                if provenance.digest(marker) != digest:
                    yield f"{marker} is not the store that the index lists"
        elif path.name in files and provenance.digest(path) != files[path.name]:
            yield f"{path.name} is not as it was written"
    except (ValueError, OSError) as error:
        yield str(error)


def _differences(where: str, found: object, expected: object) -> Iterator[str]:
    """Yield the innermost entries of two mappings that differ, in words."""
    if isinstance(found, Mapping) and isinstance(expected, Mapping):
        for key in sorted(key for key in {*found, *expected} if found.get(key) != expected.get(key)):
            yield from _differences(f"{where}.{key}", found.get(key), expected.get(key))
    else:
        yield f"{where} is {found!r} where {expected!r} is due"


if __name__ == "__main__":
    cli.run(main)
