"""Results of a failed rebuild are never served: they stay due until they are made."""

import signal

import pytest

pytestmark = pytest.mark.workflow

SOURCE = "pipeline/attribution/integrated_gradients.py"
LINE = "    path = images - start\n"
FAILS = f'    raise RuntimeError("broken by the test")\n{LINE}'
HANGS = f'    __import__("pathlib").Path("reached").touch()\n    __import__("time").sleep(600)\n{LINE}'
DUE = {
    "attribute explain integrated_gradients",
    "evaluate integrated_gradients",
    "exhibit",
    "exhibit_randomised",
    "summarise",
    *(f"tabulate {table}" for table in ("accuracy", "scores", "left_out")),
    *(f"draw {figure}" for figure in ("coherence", "randomised_maps", "scores_dots")),
    "page",
}


def test_what_depends_on_a_job_that_ended_badly_stays_due_until_it_is_made(built, tmp_path):
    study = built.copied(tmp_path / "study")
    before = study.made()
    marker = study.run / "maps" / "explain" / "integrated_gradients.zarr" / "zarr.json"

    with study.edited(SOURCE, LINE, FAILS):
        done = study.snakemake("--cores", "2", "--show-failed-logs")
        assert done.returncode == 1
        assert "broken by the test" in done.stderr
        assert not marker.exists()
        assert study.due() == DUE

    with study.edited(SOURCE, LINE, HANGS):
        assert study.stopped(signal.SIGTERM, (study.folder / "reached").exists) == 1
        assert not marker.exists()
        assert study.due() == DUE

    assert study.due() == DUE  # although the code is as it was when all this had been made
    study.build()
    assert study.made() == before
    assert study.due() == set()
