"""A run that is killed at any moment goes on where it was, and ends in the same bytes as one that was left alone."""

import json
import re
import shutil
import signal
import sys
import time

import pytest

from pipeline import store

pytestmark = pytest.mark.workflow

WEIGHTS = "results/digits/simple_cnn/seed0/weights.safetensors"
MAPS = "results/digits/simple_cnn/seed0/maps/train/smoothgrad.zarr/zarr.json"
LOGS = "logs/digits/simple_cnn/seed0"
MAPS_LOG = "maps/train/smoothgrad.zarr.log"
RETRAINED = "results/digits/simple_cnn/seed0/retraining/roar/smoothgrad.square.csv"


def blocks_done(study):
    sidecar = (study.folder / MAPS).parent.with_name("smoothgrad.zarr.progress.json")
    return json.loads(sidecar.read_text())["blocks"] if sidecar.exists() else {}


def identities(paths):
    return {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in paths}


def unlocked(study):
    return study.call(sys.executable, "-m", "pipeline.unlock", "--configfile", study.config, "--quiet", "all")


def goes_on(study, *targets):
    """Run again, as ``make run`` does after a kill."""
    assert unlocked(study).returncode == 0
    study.build("--rerun-incomplete", *targets, cores=1)


def taken_over(study, log):
    """Return the pairs (taken over, of how many or None) that a job's log tells of."""
    path = study.folder / LOGS / log
    text = path.read_text() if path.exists() else ""
    return [(int(some), whole) for some, whole in re.findall(r"took over (\d+)(?: of (\d+))?", text)]


@pytest.fixture(scope="module")
def resumed(built_blocks, tmp_path_factory):
    """A study after kills in training, attribution and retraining, each followed by another run; what was found."""
    study = built_blocks.anew(tmp_path_factory.mktemp("killed") / "a study")
    checkpoint = study.run / "checkpoint.pt"
    found = {"study": study}

    assert study.stopped(signal.SIGKILL, checkpoint.exists, "--", WEIGHTS) == -signal.SIGKILL
    found["weights published"] = (study.folder / WEIGHTS).exists()
    found["plain run after a kill"] = study.snakemake("--cores", "1", "--", WEIGHTS)
    goes_on(study, "--", WEIGHTS)
    found["epochs"] = taken_over(study, "weights.safetensors.log")

    assert study.stopped(signal.SIGKILL, lambda: len(blocks_done(study)) >= 2, "--", MAPS) == -signal.SIGKILL
    found["maps published"] = (study.folder / MAPS).exists()
    with pytest.raises(ValueError, match=r"smoothgrad\.zarr has no zarr\.json: it was never finished"):
        store.read(study.folder / MAPS, "square")
    done = blocks_done(study)
    chunks = [next((study.folder / MAPS).parent.glob(f"{array}/c/{block}")) for block in done for array in done[block]]
    found["chunks"] = identities(path for chunk in chunks for path in [chunk, *chunk.rglob("*")] if path.is_file())
    goes_on(study, "--", MAPS)
    found["blocks"] = (len(done), taken_over(study, MAPS_LOG))

    runs = (study.folder / RETRAINED).with_suffix("")
    assert study.stopped(signal.SIGKILL, lambda: any(runs.glob("*.json")), "--", RETRAINED) == -signal.SIGKILL
    found["retraining published"] = (study.folder / RETRAINED).exists()
    found["runs"] = identities(runs.glob("*.json"))
    goes_on(study)
    found["retrained"] = taken_over(study, "retraining/roar/smoothgrad.square.csv.log")
    return found


def test_nothing_half_done_is_published(resumed):
    assert not resumed["weights published"]
    assert not resumed["maps published"]
    assert not resumed["retraining published"]


def test_after_a_kill_snakemake_asks_to_be_unlocked(resumed):
    assert resumed["plain run after a kill"].returncode == 1
    assert "Directory cannot be locked" in resumed["plain run after a kill"].stderr


def test_training_goes_on_from_its_last_epoch(resumed):
    ((epochs, _),) = resumed["epochs"]
    assert 1 <= epochs < 3


def test_attribution_goes_on_from_its_last_block(resumed):
    done, [(taken, whole)] = resumed["blocks"]
    assert 2 <= done < 4
    assert (taken, whole) == (done, "4")


def test_finished_blocks_are_not_written_again(resumed):
    assert len(resumed["chunks"]) >= 2 * 5  # three maps, ids and targets
    assert identities(resumed["chunks"]) == resumed["chunks"]


def test_retraining_goes_on_after_its_last_network(resumed):
    done = len(resumed["runs"])
    assert 1 <= done < 3
    assert resumed["retrained"][0] == (done, "3")
    assert identities(resumed["runs"]) == resumed["runs"]


def test_killed_or_not_on_one_core_or_two_the_results_are_the_same_bytes(resumed, built_blocks):
    killed, left_alone = resumed["study"].made(), built_blocks.made()

    assert sorted(killed) == sorted(left_alone)
    assert [path for path in killed if killed[path] != left_alone[path]] == []
    assert {path.suffix for path in map(built_blocks.results.joinpath, killed)} >= {
        *(".safetensors", ".csv", ".json", ".svg", ".png", ".pdf", ".md", ".tex", ".html")
    }


def test_a_job_killed_right_after_it_was_done_is_made_again_from_what_it_left(resumed):
    """Snakemake takes what such a job wrote for incomplete; made again, with --rerun-incomplete, it is taken over."""
    study = resumed["study"]
    marker, before, start = study.folder / MAPS, study.made(), time.time()

    def published_anew():
        return marker.exists() and marker.stat().st_mtime > start

    assert study.stopped(signal.SIGKILL, published_anew, "--forcerun", "attribute", "--", MAPS) == -signal.SIGKILL
    assert unlocked(study).returncode == 0
    refused = study.snakemake("--cores", "1", "--", MAPS)
    assert refused.returncode == 1
    assert "--rerun-incomplete" in refused.stderr

    goes_on(study, "--", MAPS)
    assert taken_over(study, MAPS_LOG) == [(4, "4")]
    assert study.made() == before


def test_a_job_that_outlives_snakemake_does_no_harm_to_the_one_that_is_started_beside_it(resumed):
    study = resumed["study"]
    before = study.made()
    shutil.rmtree((study.folder / MAPS).parent)
    (study.folder / MAPS).parent.with_name("smoothgrad.zarr.progress.json").unlink()

    with study.orphaned(lambda: len(blocks_done(study)) >= 1, "--", MAPS):
        assert unlocked(study).returncode == 0
        (study.folder / LOGS / MAPS_LOG).unlink()
        beside = study.started(lambda: taken_over(study, MAPS_LOG) != [], "--rerun-incomplete", "--", MAPS)
        refused = unlocked(study)
        assert refused.returncode == 1
        assert f"a run is going on in this folder (process {beside.pid})" in refused.stderr

    assert beside.wait(timeout=60) == 0
    ((blocks, _),) = taken_over(study, MAPS_LOG)
    assert 1 <= blocks < 4
    assert study.made() == before
