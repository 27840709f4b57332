"""The steps on a study of seconds: results do not depend on batches, and what is done already is taken over."""

import copy
import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from pipeline import draw, gallery, plan, reads, store
from pipeline.config import complete
from pipeline.data._dataset import TEST, TRAIN
from pipeline.evaluation._reduce import reduce_channels
from pipeline.statistics.intervals import bootstrap, wilson

RUN = {"dataset": "digits", "model": "simple_cnn", "seed": 0}
SMOOTH = {**RUN, "split": "explain", "method": "smoothgrad"}
GRADIENT = {**RUN, "split": "explain", "method": "gradient"}
SMOOTHGRAD = ("mean", "square", "variance")
ROAR = {**RUN, "mode": "roar", "address": "gradient"}


def files(folder):
    """Return {path within the folder: bytes} of all that is below it."""
    found = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def arrays(marker):
    names = sorted(store.attributes(marker)["blocks"])
    return dict(zip(names, store.read(marker, *names), strict=True))


def refreshed(config, **changes):
    """Return a config with changes deep inside, such as methods={"cam": {...}}; what is not named stays."""
    config = copy.deepcopy(config)
    for section, entries in changes.items():
        config[section] = {**config[section], **entries}
    return config


@pytest.mark.parametrize("batch_size", [7, 256])
def test_maps_and_scores_do_not_depend_on_the_batches(finished, run_job, tmp_path, batch_size):
    maps, index = tmp_path / "maps.zarr" / "zarr.json", tmp_path / "scores" / "index.json"
    run_job("attribute", finished, SMOOTH, maps=str(maps), batch_size=batch_size)
    one_by_one = tmp_path / "one.zarr" / "zarr.json"
    run_job("attribute", finished, SMOOTH, maps=str(one_by_one), batch_size=1)
    found, expected = arrays(maps), arrays(one_by_one)
    assert found.keys() == expected.keys() == {"mean", "square", "variance", "ids", "targets"}
    for name, values in expected.items():
        assert np.abs(values).max() > 0
        np.testing.assert_allclose(found[name], values, rtol=0, atol=1e-5 * np.abs(values).max())
    run_job("evaluate", finished, SMOOTH, maps=str(maps), index=str(index), batch_size=batch_size)
    reference = Path(plan.path("index", finished, SMOOTH)).with_name("deletion.zarr") / "zarr.json"
    scores, due = arrays(index.with_name("deletion.zarr") / "zarr.json"), arrays(reference)
    assert (
        scores.keys()
        == due.keys()
        == {"ids"} | {f"{m}.{a}" for m in ("mean", "square", "variance") for a in ("score", "curve", "x")}
    )
    for name, values in due.items():
        np.testing.assert_allclose(scores[name], values, rtol=0, atol=1e-3)


def test_the_same_job_writes_the_same_bytes(study, run_job, tmp_path):
    for step, wildcards in (("attribute", SMOOTH), ("train", RUN), ("predict", RUN), ("exhibit", RUN)):
        first = Path(plan.path(plan.OUTPUTS[step][0], study, wildcards))
        before = first.read_bytes()
        run_job(step, study, wildcards)
        assert first.read_bytes() == before


def test_a_method_that_the_network_cannot_have_is_left_out_with_its_reason_to_the_end(finished):
    wildcards = {**RUN, "split": "explain", "method": "cam"}
    maps = plan.path("maps", finished, wildcards)
    reason = store.skipped(maps)
    assert "last linear layer" in reason
    assert store.attributes(maps)["blocks"] == {}
    index = json.loads(Path(plan.path("index", finished, wildcards)).read_text(encoding="utf-8"))
    assert (index["skipped"], index["left_out"], index["stores"]) == (reason, {}, {})
    retrained = Path(plan.path("retrained", finished, {**RUN, "mode": "roar", "address": "cam"}))
    assert retrained.read_text(encoding="utf-8") == "fraction,seed,accuracy\n"
    left_out = pd.read_csv(plan.path("left_out_frame", finished, {}))
    assert left_out.to_dict("records") == [
        {"dataset": "digits", "model": "simple_cnn", "method": "cam", "metric": "all", "reason": reason}
    ]
    summary = Path(plan.path("summary", finished, {})).read_text("utf-8")
    assert f"| digits | simple_cnn | cam | all | {reason} |" in summary
    for frame in ("scores", "curves", "retraining"):
        methods = set(pd.read_csv(plan.path(f"{frame}_frame", finished, {}))["method"])
        assert methods
        assert "cam" not in methods


def test_a_metric_that_can_say_nothing_of_a_method_is_left_out_with_its_reason_to_the_end(study, run_job):
    converging = {"use": "convergence", "samples": [2, 3]}
    config = refreshed(study, metrics={"converging": converging}, differences={"d": ["converging", "deletion"]})
    for method in config["methods"]:
        run_job("evaluate", config, {**RUN, "method": method})
    folders = {m: Path(plan.path("index", config, {**RUN, "method": m})).parent for m in config["methods"]}
    indexes = {m: json.loads((folder / "index.json").read_text(encoding="utf-8")) for m, folder in folders.items()}
    reason = "the method draws nothing at random"
    assert indexes["gradient"]["left_out"] == {"converging": reason}
    assert indexes["gradient"]["stores"].keys() == {"deletion"}
    assert not (folders["gradient"] / "converging.zarr").exists()
    assert indexes["smoothgrad"]["left_out"] == indexes["cam"]["left_out"] == {}
    assert indexes["smoothgrad"]["stores"].keys() == {"deletion", "converging"}

    run_job("summarise", config, {})
    frames = {name: pd.read_csv(plan.path(f"{name}_frame", config, {})) for name in ("scores", "curves", "left_out")}
    named = frames["left_out"].set_index(["method", "metric"])["reason"]
    assert list(named.index) == [("gradient", "converging"), ("cam", "all")]
    assert named["gradient", "converging"] == reason
    summary = Path(plan.path("summary", config, {})).read_text("utf-8")
    assert f"| digits | simple_cnn | gradient | converging | {reason} |" in summary
    smooth = [f"smoothgrad.{part}" for part in ("mean", "square", "variance")]
    scored = frames["scores"].groupby("metric")["method"].agg(list).to_dict()
    assert scored == {"deletion": ["gradient", *smooth], "converging": smooth, "d": smooth}
    means = frames["scores"].pivot(index="method", columns="metric", values="estimate").loc[smooth]
    np.testing.assert_allclose(means["d"], means["converging"] - means["deletion"], atol=1e-12)
    assert frames["scores"].query("metric == 'd'")["higher_is_better"].all()
    hashes = frames["scores"].groupby("metric")["protocol"].first().str.rpartition(" ")[2]
    assert hashes["d"] == f"{hashes['converging']}-{hashes['deletion']}"
    curve = frames["curves"].query("metric == 'converging' and method == 'smoothgrad.mean'")
    assert curve["x"].tolist() == [2, 3]
    assert frames["curves"].groupby("metric")["x_name"].unique().map(list).to_dict() == {
        "converging": ["samples"],
        "deletion": ["fraction of pixels"],
    }


def test_metrics_that_draw_find_the_same_in_batches_of_any_size(finished, run_job, tmp_path):
    metrics = {
        "subsets": {"use": "sensitivity_n", "samples": 4},
        "squares": {"use": "infidelity", "samples": 4},
        "noise": {"use": "max_sensitivity", "samples": 2},
        "networks": {"use": "mprt", "inits": 2},
        "road": {"use": "road"},
    }
    config, found = {**finished, "metrics": metrics}, []
    for batch_size in (5, 24):
        index = tmp_path / str(batch_size) / "index.json"
        run_job("evaluate", config, SMOOTH, index=str(index), batch_size=batch_size)
        found.append({name: arrays(index.with_name(f"{name}.zarr") / "zarr.json") for name in metrics})
    for name in metrics:
        for part in ("mean", "square", "variance"):
            few, all_at_once = (each[name][f"{part}.score"] for each in found)
            np.testing.assert_allclose(few, all_at_once, atol=1e-3 * np.abs(all_at_once).max())


def test_batches_go_across_blocks_and_are_the_same_however_many_blocks_are_due(
    finished, run_job, tmp_path, monkeypatch
):
    monkeypatch.setattr(store, "block_length", lambda *_: 5)
    seen = []

    def gradient(_model, images, _targets):
        seen.append(len(images))
        return images.sum(1, keepdim=True)

    monkeypatch.setattr("pipeline.attribution.gradient.gradient", gradient)
    maps = tmp_path / "maps.zarr" / "zarr.json"
    job = {**RUN, "split": "explain", "method": "gradient"}
    run_job("attribute", finished, job, maps=str(maps), batch_size=12)
    assert seen == [10, 10, 4]
    whole = files(maps.parent)
    (maps.parent / "maps" / "c" / "3" / "0" / "0" / "0").unlink()
    maps.unlink()
    run_job("attribute", finished, job, maps=str(maps), batch_size=12)
    assert seen == [10, 10, 4, 10]
    assert files(maps.parent) == whole
    run_job("evaluate", finished, job, maps=str(maps), index=str(tmp_path / "index.json"), batch_size=12)
    assert store.progress(tmp_path / "deletion.zarr" / "zarr.json")["computed"] == 5


def test_the_rankings_follow_the_order_of_the_study_and_leave_quality_out(study, run_job):
    metrics = {
        "quality": {"use": "quality"},
        "insertion": {"use": "insertion", "steps": 4},
        "rise": {"use": "insertion", "protocol": "rise2018", "images": 8},
    }
    config = refreshed(study, metrics=metrics, differences={"d": ["insertion", "deletion"]})
    for method in config["methods"]:
        run_job("evaluate", config, {**RUN, "method": method})
    run_job("summarise", config, {})
    frames = {name: pd.read_csv(plan.path(f"{name}_frame", config, {})) for name in ("ranks", "agreement", "scores")}
    judging = ["deletion", "insertion", "rise", "d"]
    assert list(frames["ranks"]["metric"].drop_duplicates()) == judging
    pairs = [(one, other) for i, one in enumerate(judging) for other in judging[i + 1 :]]
    assert list(zip(frames["agreement"]["metric"], frames["agreement"]["other"], strict=True)) == pairs
    judged = frames["ranks"].groupby("metric")["n"].first()
    assert dict(judged) == {"deletion": 24, "insertion": 24, "rise": 8, "d": 24}
    best = frames["scores"].query("metric == 'deletion'").sort_values("estimate")["method"].iloc[0]
    assert frames["ranks"].query("metric == 'deletion'").sort_values("estimate")["method"].iloc[0] == best
    details = pd.read_csv(plan.path("details_frame", config, {}))
    assert set(details["use"]) == {"quality"}
    assert details["detail_label"].notna().all()


def test_a_study_of_which_every_method_is_left_out_still_ends(study, run_job):
    study["methods"] = {"cam": study["methods"]["cam"]}
    study["retraining"] = None
    for step, wildcards in (("summarise", {}), ("exhibit", {"dataset": "digits", "model": "simple_cnn"})):
        run_job(step, study, wildcards)
    assert store.skipped(plan.path("gallery", study, RUN)) == "every method was skipped"
    assert pd.read_csv(plan.path("scores_frame", study, {})).empty


def exhibited(config, run_job, tmp_path, **choice):
    """Return the marker of a gallery of pairs of classes, made in a folder of its own."""
    pictures = tmp_path / "gallery.zarr" / "zarr.json"
    run_job("exhibit", config, RUN, choice=choice, pictures=str(pictures))
    return pictures


def test_a_gallery_shows_pairs_of_the_true_and_the_explained_class(finished, run_job, tmp_path):
    maps = plan.path("explain_maps", finished, {**RUN, "method": "gradient"})
    (ids, explained), (labels,) = (
        store.read(maps, "ids", "targets"),
        store.read(plan.path("data", finished, RUN), "labels"),
    )
    pairs = [[str(true), int(target)] for true, target in zip(labels[ids], explained, strict=True)]
    assert pairs.count(pairs[5]) < 24
    marker = exhibited(finished, run_job, tmp_path, pairs=[pairs[5]], count=24)
    assert store.read(marker, "ids")[0].tolist() == [n for n, pair in zip(ids, pairs, strict=True) if pair == pairs[5]]


def test_every_picture_of_a_gallery_has_the_map_of_its_own_image(finished, run_job, tmp_path):
    maps = plan.path("explain_maps", finished, {**RUN, "method": "gradient"})
    ids, explained, values = store.read(maps, "ids", "targets", "maps")
    images, labels = store.read(plan.path("data", finished, RUN), "images", "labels")
    pairs = [[str(labels[ids[place]]), int(explained[place])] for place in (-1, 0)]  # not in the order of the ids

    marker = exhibited(finished, run_job, tmp_path, pairs=pairs, count=2)

    shown, targets, drawn, pictures = store.read(marker, "ids", "targets", "gradient", "image")
    assert (np.diff(shown) < 0).any()
    rows = np.searchsorted(ids, shown)
    np.testing.assert_array_equal(drawn, np.abs(values[rows]).max(1))
    np.testing.assert_array_equal(targets, explained[rows])
    np.testing.assert_array_equal(pictures, images[shown])


def test_pairs_that_no_image_has_make_an_empty_gallery_and_figures_that_say_so(finished, run_job, tmp_path):
    maps = plan.path("explain_maps", finished, {**RUN, "method": "gradient"})
    (ids, explained), (labels,) = (
        store.read(maps, "ids", "targets"),
        store.read(plan.path("data", finished, RUN), "labels"),
    )
    there = set(zip(labels[ids].tolist(), explained.tolist(), strict=True))
    absent = next([a, b] for a in range(10) for b in range(10) if (a, b) not in there)
    marker = exhibited(finished, run_job, tmp_path, pairs=[absent], count=2)
    assert "none of the images that are explained" in store.skipped(marker)
    for figure in ("coherence", "surfaces"):
        written = {form: str(tmp_path / f"figure.{form}") for form in ("svg", "png", "pdf")}
        draw.main(str(marker), figure, "digits", "simple_cnn", **written)
        assert "no results" in Path(written["svg"]).read_text(encoding="utf-8")


def test_an_unknown_class_of_the_gallery_is_refused_in_one_sentence(finished, run_job, tmp_path):
    with pytest.raises(ValueError, match=r"gallery.pairs: no class is called 'ten'; there are \[\"0\", \"1\", .*\]\Z"):
        exhibited(finished, run_job, tmp_path, pairs=[["0", "ten"]], count=1)
    assert not (tmp_path / "gallery.zarr").exists()


def test_shares_of_images_have_wilsons_interval_and_other_scores_a_bootstrap(study, run_job):
    metrics = {
        "keep": {"use": "degradation_keep"},
        "sure": {"use": "degradation_keep", "measure": "probability"},
        "lost": {"use": "degradation_remove"},
        "check": {"use": "mprt", "inits": 1, "images": 5},
    }
    config = refreshed(study, metrics=metrics, differences={"d": ["keep", "lost"]})
    config["methods"] = {"gradient": {"use": "gradient"}, "random_map": {"use": "random_map"}}
    config["retraining"] = None
    config = complete(config)
    for method in config["methods"]:
        run_job("attribute", config, {**RUN, "split": "explain", "method": method})
        run_job("evaluate", config, {**RUN, "method": method})
    run_job("summarise", config, {})
    tables = {name: pd.read_csv(plan.path(f"{name}_frame", config, {})) for name in ("scores", "details")}
    folder = Path(plan.path("index", config, {**RUN, "method": "gradient"})).parent
    markers = {metric: folder / f"{metric}.zarr" / "zarr.json" for metric in metrics}
    read = {metric: store.read(marker, "score")[0] for metric, marker in markers.items()}

    def interval(table, metric, method="gradient", **wanted):
        rows = tables[table].query("metric == @metric and method == @method")
        for key, value in wanted.items():
            rows = rows[rows[key] == value]
        return rows[["estimate", "low", "high"]].to_numpy()[0]

    share = np.ravel(wilson(read["keep"].sum(), 24))
    np.testing.assert_allclose(interval("scores", "keep"), share, rtol=0, atol=1e-12)
    for metric in ("keep", "sure"):  # whatever the score is
        np.testing.assert_allclose(interval("details", metric, detail="accuracy"), share, rtol=0, atol=1e-12)
    for metric, values in {"sure": read["sure"], "d": read["keep"] - read["lost"]}.items():
        expected = np.ravel(bootstrap(values[None]))
        np.testing.assert_allclose(interval("scores", metric), expected, rtol=0, atol=1e-12)
    assert interval("scores", "check", "random_map").tolist() == [1.0, 1.0, 1.0]  # by construction, and no share


LAYERED = {"each": {"use": "mprt", "mode": "independent"}, "check": {"use": "mprt", "inits": 1, "images": 7}}


def test_maps_of_randomised_networks_stand_beside_those_of_the_trained_one(study, run_job):
    config = refreshed(study, metrics=LAYERED, methods={"gradient": {"use": "gradient", "reduce": "sum"}})
    for method in config["methods"]:
        run_job("evaluate", config, {**RUN, "method": method})
    run_job("exhibit_randomised", config, RUN)
    marker, data = plan.path("randomised", config, RUN), plan.path("data", config, RUN)
    inputs = store.attributes(marker)["provenance"]["inputs"]
    assert inputs.keys() == reads.inputs("exhibit_randomised", config, RUN).keys()

    frame = gallery.read(marker)
    assert list(frame["method"].unique()) == ["image", "gradient", *(f"smoothgrad.{part}" for part in SMOOTHGRAD)]
    scores = Path(plan.path("index", config, {**RUN, "method": "gradient"})).parent
    (ids,) = store.read(scores / "check.zarr" / "zarr.json", "ids")
    assert frame["id"].unique().tolist() == ids[:3].tolist()
    told = frame[["metric", "mode"]].drop_duplicates().to_numpy().tolist()
    assert told == [["", ""], ["each", "independent"], ["check", "cascading"]]
    assert set(frame["protocol"].str.partition(" ")[0]) == {"", "each", "check"}

    images, labels = store.read(data, "images", "labels")
    explained, targets, maps = store.read(plan.path("explain_maps", config, GRADIENT), "ids", "targets", "maps")
    for _, row in frame.iterrows():
        place = explained.tolist().index(row["id"])
        assert [row["class"], row["target"]] == [str(labels[row["id"]]), str(targets[place])]
        if row["method"] == "image":
            np.testing.assert_array_equal(row["pixels"], images[row["id"], 0])
        elif row["layers"] == 0 and row["method"] == "gradient":
            values = torch.from_numpy(maps[place])
            np.testing.assert_array_equal(row["pixels"], reduce_channels(values[None], "sum")[0].numpy())
            assert row["pixels"].min() < 0
        elif row["layers"]:
            entry, _, part = row["method"].partition(".")
            kept = scores.with_name(entry) / f"{row['metric']}.zarr" / "zarr.json"
            judged, again = store.read(kept, "ids", f"{part}.maps" if part else "maps")
            np.testing.assert_array_equal(row["pixels"], again[judged.tolist().index(row["id"]), row["layers"] - 1])


def test_where_no_method_has_maps_of_randomised_networks_the_store_and_the_figure_say_so(study, run_job, tmp_path):
    config = refreshed(study, metrics={"check": LAYERED["check"]})
    for method in config["methods"]:
        run_job("evaluate", config, {**RUN, "method": method})
        index = Path(plan.path("index", config, {**RUN, "method": method}))
        found = json.loads(index.read_text(encoding="utf-8"))
        found["stores"].pop("check", None)
        index.write_text(json.dumps(found), encoding="utf-8")
    run_job("exhibit_randomised", config, RUN)
    marker = plan.path("randomised", config, RUN)
    assert store.skipped(marker) == "no image was explained by all methods while layers were drawn anew"
    written = {form: str(tmp_path / f"figure.{form}") for form in ("svg", "png", "pdf")}
    draw.main(marker, "randomised_maps", "digits", "simple_cnn", **written)
    assert "no results" in Path(written["svg"]).read_text(encoding="utf-8")


def targets(config, run_job, tmp_path, target):
    maps = tmp_path / "maps.zarr" / "zarr.json"
    run_job("attribute", config, {**SMOOTH, "method": "gradient"}, maps=str(maps), target=target)
    found, ids = store.read(maps, "targets", "ids")
    return found, ids


NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


def rewritten(config, classes=None, change=None):
    """Write the data set anew, with other class names or with its arrays changed."""
    marker = plan.path("data", config, RUN)
    found, content = store.attributes(marker), arrays(marker)
    if change:
        change(content)
    classes = classes or found["classes"]
    draft = store.begin(
        marker, {"classes": classes, "change": str(change)}, len(content["labels"]), len(content["labels"])
    )
    for rows in store.due(draft):
        store.put(draft, rows, content)
    store.publish(draft, classes=classes, mean=found["mean"], std=found["std"])


@pytest.mark.parametrize("target", ["three", 3])
def test_a_class_is_explained_by_its_name_and_by_its_index(study, run_job, tmp_path, target):
    rewritten(study, NAMES)
    found, _ = targets(study, run_job, tmp_path, target)
    assert found.tolist() == [3] * 24


def test_bfloat16_gives_nearly_the_maps_of_float32_and_says_so(finished, run_job, tmp_path):
    maps = tmp_path / "maps.zarr" / "zarr.json"
    run_job("attribute", finished, {**SMOOTH, "method": "gradient"}, maps=str(maps), precision="bfloat16")
    (coarse,), (exact,) = (
        store.read(maps, "maps"),
        store.read(plan.path("maps", finished, {**SMOOTH, "method": "gradient"}), "maps"),
    )
    assert coarse.dtype == exact.dtype
    assert not np.array_equal(coarse, exact)
    assert np.corrcoef(coarse.ravel(), exact.ravel())[0, 1] > 0.95
    made_by = store.attributes(maps)["provenance"]
    assert (made_by["settings"]["precision"], made_by["environment"]["precision"]) == ("bfloat16", "bfloat16")


def test_maps_of_a_class_by_name_are_not_taken_over_once_the_classes_are_renamed(study, run_job, tmp_path):
    rewritten(study, NAMES)
    targets(study, run_job, tmp_path, "three")
    rewritten(study, NAMES[::-1])
    found, _ = targets(study, run_job, tmp_path, "three")
    assert found.tolist() == [6] * 24


def test_the_label_and_the_prediction_are_explained(finished, run_job, tmp_path):
    labels, predicted = (
        store.read(plan.path(name, finished, RUN), array)[0]
        for name, array in (("data", "labels"), ("predictions", "predicted"))
    )
    found, ids = targets(finished, run_job, tmp_path / "label", "label")
    assert found.tolist() == labels[ids].tolist()
    found, ids = targets(finished, run_job, tmp_path / "predicted", "predicted")
    assert found.tolist() == predicted[ids].tolist()
    assert (labels[ids] != predicted[ids]).any(), "the two cannot be told apart"


@pytest.mark.parametrize("target", ["eleven", 10, -1])
def test_an_unknown_class_is_refused_in_one_sentence(finished, run_job, tmp_path, target):
    with pytest.raises(ValueError, match=r'say predicted, label or one of \["0", "1", .*\]\Z') as error:
        targets(finished, run_job, tmp_path, target)
    assert repr(target) in str(error.value)
    assert not (tmp_path / "maps.zarr").exists()


def test_adding_a_fraction_keeps_the_finished_runs(study, run_job, caplog):
    results = Path(plan.path("retrained", study, ROAR))
    before, row = files(results.with_suffix("")), pd.read_csv(results)
    moments = {path: path.stat().st_mtime_ns for path in results.with_suffix("").iterdir()}
    with caplog.at_level(logging.INFO):
        run_job("retrain", study, ROAR, fractions=[0.2, 0.5])
    after = files(results.with_suffix(""))
    assert {path: after[path] for path in before} == before
    assert {path: path.stat().st_mtime_ns for path in moments} == moments
    assert after.keys() - before.keys() == {"0.2-0.json"}
    table = pd.read_csv(results)
    assert table[["fraction", "seed"]].to_numpy().tolist() == [[0.2, 0], [0.5, 0]]
    pd.testing.assert_frame_equal(table[1:].reset_index(drop=True), row)
    progress = json.loads(Path(f"{results}.progress.json").read_text(encoding="utf-8"))
    assert progress == {"taken_over": 1, "computed": 1, "unit": progress["unit"]}


def test_retraining_again_trains_nothing(study, run_job, monkeypatch):
    results = Path(plan.path("retrained", study, ROAR))
    before = results.read_bytes()
    monkeypatch.setattr("pipeline.checkpoint.train", None)
    run_job("retrain", study, ROAR)
    assert results.read_bytes() == before
    with pytest.raises(TypeError):
        run_job("retrain", study, ROAR, training={"epochs": 2})


def test_training_again_takes_over_its_epochs_and_a_changed_one_starts_anew(study, run_job):
    weights = Path(plan.path("weights", study, RUN))
    before = weights.read_bytes()
    progress = Path(f"{weights}.progress.json")
    run_job("train", study, RUN)
    assert json.loads(progress.read_text(encoding="utf-8")) == {"taken_over": 1, "computed": 0, "unit": "epochs"}
    assert weights.read_bytes() == before
    run_job("train", study, RUN, seed=1)
    assert json.loads(progress.read_text(encoding="utf-8")) == {"taken_over": 0, "computed": 1, "unit": "epochs"}
    assert weights.read_bytes() != before


def spoil(split):
    """Return a change of a data set: the first half of a split's images blackened, its labels in another order."""

    def change(content):
        places = np.flatnonzero(content["split"] == split)
        content["images"][places[: len(places) // 2]] = 0
        content["labels"][places] = content["labels"][places[::-1]]

    return change


@pytest.mark.parametrize(("split", "same"), [(TEST, True), (TRAIN, False)])
def test_training_never_looks_at_test_images(study, run_job, split, same):
    before = load_file(plan.path("weights", study, RUN))
    rewritten(study, change=spoil(split))
    run_job("train", study, RUN)
    after = load_file(plan.path("weights", study, RUN))
    assert all(torch.equal(after[name], values) for name, values in before.items()) is same


def test_adding_a_metric_leaves_the_stores_of_the_others_as_they_are(study, run_job):
    folder = Path(plan.path("index", study, SMOOTH)).parent
    before = {
        path: (path.stat().st_mtime_ns, path.read_bytes())
        for path in (folder / "deletion.zarr").rglob("c/**/*")
        if path.is_file()
    }
    assert len(before) == 10  # three arrays of each of three maps, and the ids
    marker = (folder / "deletion.zarr" / "zarr.json").read_bytes()
    run_job("evaluate", refreshed(study, metrics={"keep": {"use": "degradation_keep"}}), SMOOTH)
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in before} == before
    assert (folder / "deletion.zarr" / "zarr.json").read_bytes() == marker
    assert store.progress(folder / "deletion.zarr" / "zarr.json")["computed"] == 0
    assert store.progress(folder / "keep.zarr" / "zarr.json")["computed"] == 1
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    assert index["stores"].keys() == {"deletion", "keep"}
    assert index["stores"]["deletion"] == json.loads(marker)["attributes"]["digest"]


def test_a_changed_metric_is_computed_anew_alone(study, run_job):
    config = refreshed(study, metrics={"keep": {"use": "degradation_keep"}})
    run_job("evaluate", config, SMOOTH)
    folder = Path(plan.path("index", study, SMOOTH)).parent
    kept = files(folder / "keep.zarr")
    run_job("evaluate", refreshed(config, metrics={"deletion": {"use": "deletion", "steps": 2}}), SMOOTH)
    assert files(folder / "keep.zarr") == kept
    assert store.read(folder / "deletion.zarr" / "zarr.json", "mean.curve")[0].shape == (24, 3)


def test_weights_of_another_network_are_refused_in_one_sentence(finished, run_job, tmp_path):
    with pytest.raises(ValueError, match=r"weights.safetensors does not fit simple_cnn_cam: .*\Z"):
        run_job(
            "predict",
            finished,
            RUN,
            model={"use": "simple_cnn_cam"},
            predictions=str(tmp_path / "p.zarr" / "zarr.json"),
        )


def test_results_say_nothing_of_the_time_or_the_place(finished):
    results = Path(finished["results"])
    for path in results.rglob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert str(results) not in text
        assert str(results.parent) not in text
