"""What a config asks for: every job once, after those whose results it reads, with the settings that decide on it."""

import copy
import json
from collections import Counter
from pathlib import Path, PurePath

import pytest
import yaml

from pipeline import choices, plan, protocols, provenance, reads, signatures
from pipeline import config as form

ROOT = Path(__file__).parents[1]
SHIPPED = form.complete(yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8")))


def small(**changes):
    """Return the config of a small study that retrains, with changes at its top level."""
    config = {
        "results": "results",
        "seeds": [0, 3],
        "datasets": {"a": {"use": "digits", "explain": 9, "target": "label"}, "b": {"use": "digits"}},
        "models": {
            "m": {"use": "simple_cnn", "datasets": ["a"], "training": {"epochs": 2, "shift": 1}},
            "n": {"use": "simple_cnn_cam"},
        },
        "methods": {
            "gradient": {"use": "gradient", "reduce": "sum"},
            "smooth": {"use": "smoothgrad", "samples": 2, "base": {"use": "gradient"}},
            "cam": {"use": "cam"},
        },
        "metrics": {"deletion": {"use": "deletion"}, "keep": {"use": "degradation_keep", "fraction": 0.3}},
        "differences": {"d": ["deletion", "keep"]},
        "retraining": {
            "modes": ["roar"],
            "models": ["m"],
            "methods": ["smooth.square", "gradient", "smooth.mean"],
            "fractions": [0.5],
            "seeds": [7],
            "training": {"epochs": 1},
        },
        "figures": ["curves", "retraining_curves"],
        "tables": ["retraining", "scores"],
    }
    return form.complete(config | changes)


STUDIES = {
    "shipped": SHIPPED,
    "small": small(),
    "without retraining": small(retraining=None),
    "retraining every model": small(retraining={k: v for k, v in small()["retraining"].items() if k != "models"}),
    "without figures": small(figures=[], tables=[]),
    "results elsewhere": small(results="/somewhere/else"),
    "randomised": small(metrics={"deletion": {"use": "deletion"}, "check": {"use": "mprt"}}, differences={}),
}


@pytest.fixture(params=STUDIES)
def study(request):
    return STUDIES[request.param]


def outputs(config, job):
    step, wildcards = job
    return [plan.path(name, config, wildcards) for name in plan.OUTPUTS[step]]


def test_the_shipped_study_has_these_jobs():
    found = Counter(step for step, _ in plan.jobs(SHIPPED))
    methods, explained, degraded = 15, 3, 6  # entries; digits by two networks and planted digits by one; maps for ROAR
    assert found == {
        "download": 2,
        "train": explained,
        "predict": explained,
        "tally": explained,
        "attribute": explained * methods + 2 * degraded,  # the images of the metrics; training and test images
        "evaluate": explained * methods,
        "retrain_undegraded": 1,
        "retrain": 2 * degraded,  # ROAR and KAR
        "summarise": 1,
        "exhibit": explained,
        "exhibit_randomised": explained,
        "tabulate": 7,
        "draw": explained * 5 + 1,  # one network is retrained
        "page": 1,
    }
    assert found.total() == 133 + 4 * 3 * 2
    assert (
        len(plan.targets(SHIPPED))
        == 2 + 3 * 2 + 3 + 3 * 2 + 45 + 12 + 33 + 12 + 1 + 12 + 10 + 3 + 3 + 7 * 4 + 16 * 3 + 1
    )


def test_the_small_study_has_these_jobs():
    assert Counter(step for step, _ in plan.jobs(small())) == {
        "download": 2,
        "train": 6,
        "predict": 6,
        "tally": 6,
        "attribute": 6 * 3 + 2 * 2 * 2,
        "evaluate": 6 * 3,
        "retrain_undegraded": 2,
        "retrain": 2 * 3,
        "summarise": 1,
        "exhibit": 3,
        "tabulate": 2,
        "draw": 3 + 1,  # one network on one data set is retrained
        "page": 1,
    }


def test_every_output_of_every_job_is_a_target_and_no_other(study):
    targets = plan.targets(study)
    assert len(targets) == len(set(targets))
    assert targets == [path for job in plan.jobs(study) for path in outputs(study, job)]
    assert all(path.startswith(f"{study['results']}/") for path in targets)
    assert not any("{" in path for path in targets)


def test_no_output_lies_within_the_store_of_another(study):
    targets = plan.targets(study)
    stores = {PurePath(path).parent for path in targets if PurePath(path).name == "zarr.json"}
    assert all(store.suffix == ".zarr" for store in stores)
    for path in map(PurePath, targets):
        assert set(path.parents) & stores == ({path.parent} if path.name == "zarr.json" else set())


def test_every_job_comes_after_those_whose_results_it_reads(study):
    there = set(reads.sources().values())
    for job in plan.jobs(study):
        needed = reads.inputs(job[0], study, job[1])
        assert set(needed.values()) <= there, job
        there |= set(outputs(study, job))
        assert job[0] == "download" or needed


def test_every_result_is_read_by_another_or_is_for_people(study):
    read = {path for step, wildcards in plan.jobs(study) for path in reads.inputs(step, study, wildcards).values()}
    people = ("/figures/", "/tables/", "/page/", "/summary.md", "/history.csv")
    asked_for = (
        "/summary/",
        "/gallery.zarr/",
        "/randomised.zarr/",
    )  # by figures and tables, if any
    for path in set(plan.targets(study)) - read:
        assert any(part in path for part in people + asked_for), path


def test_pairs_are_the_cross_product_cut_by_each_models_data_sets():
    assert plan.pairs(small()) == [("a", "m"), ("a", "n"), ("b", "n")]
    assert plan.runs(small())[:3] == [
        {"dataset": "a", "model": "m", "seed": 0},
        {"dataset": "a", "model": "m", "seed": 3},
        {"dataset": "a", "model": "n", "seed": 0},
    ]


def pretrained(**more):
    """Return the small study with a network that is taken as its weights make it."""
    entry = {"use": "simple_cnn", "datasets": ["b"], "weights": WEIGHTS, **more}
    return small(models=small()["models"] | {"p": entry})


WEIGHTS = {"url": "https://a.org/w.pth", "sha256": "01234567"}


def test_a_network_that_is_taken_as_its_weights_make_it_is_there_for_the_first_seed_only():
    def jobs(config):
        return [(step, w["seed"]) for step, w in plan.jobs(config) if w.get("model") == "p" and "seed" in w]

    assert {seed for _, seed in jobs(pretrained())} == {0}
    assert Counter(jobs(pretrained(training={}))) == Counter(
        [(step, s) for step, _ in jobs(pretrained()) for s in (0, 3)]
    )
    assert jobs(pretrained()).count(("attribute", 0)) == 3


def test_a_network_that_is_taken_as_it_is_gets_no_training_and_one_that_starts_from_weights_gets_its_own():
    run = {"dataset": "b", "model": "p", "seed": 0}
    found = choices.settings("train", pretrained(), run)
    assert found == {"model": {"use": "simple_cnn"}, "training": None, "seed": 0, "pretrained": WEIGHTS}
    assert choices.settings("train", pretrained(training={"epochs": 3}), run)["training"] == {"epochs": 3}
    assert choices.settings("train", pretrained(training={}), run)["training"] == {}


def test_a_file_of_weights_is_an_input_and_no_setting(tmp_path):
    path = tmp_path / "w.pth"
    path.touch()
    run = {"dataset": "b", "model": "p", "seed": 0}
    for weights, setting in ((str(path), {}), ({"file": str(path), "sha256": "01234567"}, {"sha256": "01234567"})):
        config = pretrained(weights=weights)
        assert reads.initial(config, run) == [str(path)]
        assert reads.inputs("train", config, run) == {"data": plan.path("data", config, run), "initial": str(path)}
        assert choices.settings("train", config, run).get("pretrained", {}) == setting
    assert reads.initial(pretrained(), run) == []
    assert reads.inputs("train", pretrained(), run).keys() == {"data"}


def test_only_methods_that_degrade_images_get_maps_of_training_and_test_images():
    asked = Counter((w["method"], w["split"], w["model"]) for step, w in plan.jobs(small()) if step == "attribute")
    wide = {(method, model) for method, split, model in asked if split != "explain"}
    assert wide == {("smooth", "m"), ("gradient", "m")}
    assert set(asked.values()) == {2, 4}  # seeds; the second network is trained on two data sets
    assert plan.retrained(small(), "m") == ["gradient", "smooth.mean", "smooth.square"]
    assert plan.retrained(small(), "n") == []
    assert plan.retrained(small(retraining=None), "m") == []


def test_figures_and_tables_of_retraining_are_made_only_where_the_study_retrains():
    config, without = small(), small(retraining=None)
    assert plan.tables(config) == ["retraining", "scores"]
    assert plan.tables(without) == ["scores"]
    assert [plan.figures(config, model) for model in config["models"]] == [["curves", "retraining_curves"], ["curves"]]
    assert [plan.figures(without, model) for model in config["models"]] == [["curves"], ["curves"]]


@pytest.mark.parametrize(("address", "pair"), [("cam", ("cam", "maps")), ("smooth.square", ("smooth", "square"))])
def test_an_address_is_an_entry_and_a_part(address, pair):
    assert plan.split_address(address) == pair


def test_addresses_name_the_maps_of_every_entry():
    addresses = [a for name, entry in small()["methods"].items() for a in signatures.addresses(name, entry)]
    assert addresses == ["gradient", "smooth.mean", "smooth.square", "smooth.variance", "cam"]
    assert signatures.parts({"use": "gradient"}) == ("maps",)
    assert signatures.parts({"use": "smoothgrad", "base": {"use": "cam"}}) == ("mean", "square", "variance")


def test_the_config_may_overrule_the_papers_reduction():
    assert choices.reductions({"use": "gradient"}) == {"maps": "abs_max"}
    assert choices.reductions({"use": "gradient", "reduce": "sum"}) == {"maps": "sum"}
    smooth = {"use": "smoothgrad", "base": {"use": "gradient"}}
    assert choices.reductions(smooth) == {"mean": "abs_max", "square": "sum", "variance": "sum"}
    all_alike = dict.fromkeys(("mean", "square", "variance"), "abs_sum")
    assert choices.reductions({**smooth, "reduce": "abs_sum"}) == all_alike
    for name in signatures.names("attribution"):
        base = {"base": {"use": "gradient"}} if "base" in signatures.parameters("attribution", name) else {}
        assert set(choices.reductions({"use": name, **base}).values()) <= set(form.READ["reduce"][1])


def test_no_two_maps_have_the_same_label():
    again = small()["methods"] | {
        "again": {"use": "gradient"},
        "smoother": {"use": "smoothgrad", "base": {"use": "cam"}},
    }
    for config in (SHIPPED, small(), small(methods=again)):
        labels = [facts["label"] for entry in choices.labels(config).values() for facts in entry.values()]
        assert len(labels) == len(set(labels))
        addresses = [a for entry in choices.labels(config).values() for a in entry]
        assert addresses == [a for name, entry in config["methods"].items() for a in signatures.addresses(name, entry)]
    shown = choices.labels(small(methods=again))
    assert shown["gradient"]["gradient"] == {"label": "Gradient (gradient)", "family": "gradient", "reduce": "sum"}
    assert shown["smooth"]["smooth.mean"]["label"] == "SmoothGrad, mean (smooth.mean)"
    assert shown["cam"]["cam"]["label"] == "CAM"


D_RISE = {"use": "d_rise", "similarity": ["negative_cross_entropy", "euclidean", "logit"], "samples": 40}


def test_a_map_of_a_similarity_is_labelled_by_it():
    config = small(methods={"d": D_RISE, "smooth": {"use": "smoothgrad", "base": D_RISE}}, retraining=None)
    shown = [facts["label"] for entry in choices.labels(config).values() for facts in entry.values()]
    assert shown[:3] == ["D-RISE, negative cross-entropy", "D-RISE, negative Euclidean distance", "D-RISE, logit"]
    assert shown[3:] == ["SmoothGrad, mean", "SmoothGrad, square", "SmoothGrad, variance"]


def exhibited_bounds(methods):
    config = small(methods=methods, retraining=None)
    found = choices.settings("exhibit", config, {"dataset": "a", "model": "m"})["methods"]
    assert found.keys() == methods.keys()
    return {address: facts["bounds"] for entry in found.values() for address, facts in entry.items()}


def test_the_gallery_is_told_what_bounds_the_maps():
    methods = {
        "sum": D_RISE | {"normalise": "none", "probability": 0.25},
        "mean": D_RISE,
        "default": {"use": "d_rise", "similarity": ["cosine"], "normalise": "none"},
        "rise": {"use": "rise"},
        "gradient": {"use": "gradient"},
        "smooth": {"use": "smoothgrad", "base": D_RISE},
    }
    assert exhibited_bounds(methods) == {
        "sum.negative_cross_entropy": [None, 0],
        "sum.euclidean": [-10 * 2**0.5, 0],
        "sum.logit": [None, None],
        "mean.negative_cross_entropy": [None, 0],
        "mean.euclidean": [-(2**0.5), 0],
        "mean.logit": [None, None],
        "default.cosine": [0, 2500],
        "rise": [0, 1],
        "gradient": [None, None],
        "smooth.mean": [None, None],
        "smooth.square": [None, None],
        "smooth.variance": [None, None],
    }


def test_bounds_are_those_of_the_map_itself_and_told_of_no_other_reduction_than_its_sum():
    assert exhibited_bounds({"rise": {"use": "rise", "reduce": "abs_max"}}) == {"rise": [None, None]}


def test_no_other_step_is_told_of_bounds():
    found = settings(small(methods={"rise": {"use": "rise"}, "d": D_RISE}, retraining=None))
    assert {job[0] for job, told in found.items() if "bounds" in json.dumps(told)} == {"exhibit"}


def settings(config):
    return {
        (step, *sorted(wildcards.items())): choices.settings(step, config, wildcards)
        for step, wildcards in plan.jobs(config)
    }


def test_settings_are_plain_json(study):
    for found in settings(study).values():
        assert json.loads(json.dumps(found)) == found


def test_settings_are_what_the_config_says():
    found = settings(small())
    run = (("dataset", "a"), ("model", "m"))
    assert found["download", ("dataset", "a")] == {"dataset": {"use": "digits"}}
    training = {"epochs": 2, "shift": 1}
    assert found["train", *run, ("seed", 3)] == {"model": {"use": "simple_cnn"}, "training": training, "seed": 3}
    job = {**dict(run), "seed": "0", "split": "explain", "method": "gradient"}
    explain = choices.settings("attribute", small(), job)
    assert explain == {
        "model": {"use": "simple_cnn"},
        "method": {"use": "gradient"},
        "split": "explain",
        "target": "label",
        "precision": "float32",
        "explain": 9,
    }
    train = choices.settings("attribute", small(), {"dataset": "b", "model": "n", "split": "train", "method": "cam"})
    assert (train["target"], "explain" in train) == ("predicted", False)
    evaluate = choices.settings("evaluate", small(), {"model": "m", "method": "gradient"})
    assert (evaluate["reduce"], list(evaluate["metrics"])) == ({"maps": "sum"}, ["deletion", "keep"])
    retrain = choices.settings("retrain", small(), {"model": "m", "mode": "kar", "address": "smooth.variance"})
    assert retrain == {
        "model": {"use": "simple_cnn"},
        "training": {"epochs": 1, "shift": 1},
        "seeds": [7],
        "mode": "kar",
        "part": "variance",
        "reduce": "sum",
        "fractions": [0.5],
    }
    undegraded = choices.settings("retrain_undegraded", small(), {"model": "m"})
    assert undegraded == {key: retrain[key] for key in ("model", "training", "seeds")}


SEEING = {"train", "predict", "attribute", "evaluate", "retrain", "retrain_undegraded"}  # steps that normalise images


def due(before, after):
    """Return the steps some of whose jobs have other settings."""
    first, second = settings(before), settings(after)
    return {job[0] for job in first if job in second and first[job] != second[job]}


@pytest.mark.parametrize(
    ("path", "value", "steps"),
    [
        (("batch_size",), 7, set()),
        (("device",), "cpu", set()),
        (("data_dir",), "elsewhere", set()),
        (("results",), "elsewhere", set()),
        (("datasets", "a", "size"), 8, {"download"}),
        (("datasets", "a", "explain"), 8, {"attribute"}),
        (("datasets", "a", "target"), 3, {"attribute"}),
        (("models", "m", "training"), {"epochs": 3}, {"train", "retrain", "retrain_undegraded"}),
        (("models", "n", "training"), {"epochs": 3}, {"train"}),
        (("models", "m", "weights"), {"url": "https://a.org/w.pth", "sha256": "01234567"}, {"train"}),
        (("models", "m", "normalise"), {"mean": [0.5], "std": [0.5]}, SEEING),
        (("methods", "smooth", "samples"), 3, {"attribute"}),
        (("methods", "cam", "reduce"), "abs_sum", {"evaluate", "summarise", "exhibit"}),
        (("methods", "gradient", "reduce"), "abs_sum", {"evaluate", "summarise", "exhibit", "retrain"}),
        (
            ("metrics", "keep", "fraction"),
            0.4,
            {"evaluate", "summarise"},
        ),  # whose tables name its choices by their hash
        (("differences",), {}, {"summarise"}),
        (("retraining", "fractions"), [0.1, 0.5], {"retrain"}),
        (("retraining", "seeds"), [7, 8], {"retrain", "retrain_undegraded"}),
        (("retraining", "training"), {"epochs": 5}, {"retrain", "retrain_undegraded"}),
        (("gallery",), 3, {"exhibit"}),
        (("gallery",), {"pairs": [["3", "3"], ["3", 5]], "count": 1}, {"exhibit"}),
        (("title",), "Another", {"page"}),
        (("figures",), ["coherence"], {"page"}),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, tuple) else "",
)
def test_a_change_of_the_config_reaches_the_steps_that_it_decides_and_no_other(path, value, steps):
    config = copy.deepcopy(small())
    *outer, last = path
    place = config
    for key in outer:
        place = place[key]
    place[last] = value
    form.check(config)
    assert due(small(), config) == steps


def converging(**entry):
    """Return the small study with a metric that asks for the method whose maps it judges."""
    return small(metrics=small()["metrics"] | {"agreement": {"use": "convergence", **entry}})


def test_the_method_is_a_setting_of_its_evaluation_only_where_a_metric_asks_for_it():
    job = {"dataset": "a", "model": "m", "seed": 0, "method": "smooth"}
    assert not {"method", "precision"} & choices.settings("evaluate", small(), job).keys()
    found = choices.settings("evaluate", converging(), job)
    assert (found["method"], found["precision"]) == (small()["methods"]["smooth"], "float32")
    coarse = converging()
    coarse["methods"] = {"smooth": small()["methods"]["smooth"] | {"precision": "bfloat16", "reduce": "sum"}}
    found = choices.settings("evaluate", coarse, job)
    assert (found["method"], found["precision"]) == (small()["methods"]["smooth"], "bfloat16")


def test_an_edit_of_a_method_reaches_its_evaluation_by_way_of_its_code_only_where_a_metric_asks_for_it():
    job = {"dataset": "a", "model": "m", "seed": 0, "method": "smooth"}
    needed = {"pipeline.attribution.smoothgrad", "pipeline.attribution.gradient"}
    cheap, again = (
        set(provenance.code("evaluate", choices.settings("evaluate", c, job))) for c in (small(), converging())
    )
    assert needed <= again
    assert not {name for name in cheap if name.startswith("pipeline.attribution.")}
    assert {"pipeline.evaluation.convergence", "pipeline.evaluation._requirements"} <= again - cheap


def test_a_change_of_a_method_reaches_the_settings_of_its_evaluation_only_where_a_metric_asks_for_it():
    for config, steps in ((small(), {"attribute"}), (converging(), {"attribute", "evaluate"})):
        other = copy.deepcopy(config)
        other["methods"]["smooth"]["samples"] = 3
        form.check(other)
        assert due(config, other) == steps


def test_the_gallery_shows_the_first_seed():
    wildcards = {"dataset": "a", "model": "m"}
    assert reads.exhibited(small(), wildcards) == [
        f"results/a/m/seed0/maps/explain/{method}.zarr/zarr.json" for method in ("gradient", "smooth", "cam")
    ]


def test_the_page_is_made_of_every_figure_every_table_and_its_own_texts():
    config = small()
    found = reads.inputs("page", config, {})
    shown = {path for path in found.values() if path.startswith("results/")}
    assert shown == {*reads.drawn(config), *reads.tabulated(config)}
    assert len(reads.drawn(config)) == 4
    assert reads.tabulated(config) == ["results/tables/retraining.csv", "results/tables/scores.csv"]
    assert found["page.html.j2"].endswith("pipeline/rendering/page.html.j2")
    assert {f"{table}.rst" for table in ("scores", "retraining")} <= set(found)


def test_a_frame_of_each_kind_is_found():
    wildcards = {"dataset": "a", "model": "m"}
    assert reads.frame(small(), "curves", wildcards) == "results/summary/curves.csv"
    assert reads.frame(small(), "coherence", wildcards) == "results/a/m/gallery.zarr/zarr.json"
    assert reads.frame(small(), "randomised_maps", wildcards) == "results/a/m/randomised.zarr/zarr.json"


def test_maps_of_randomised_networks_are_gathered_where_a_metric_keeps_them():
    figures = ["coherence", "randomised_maps"]
    without, study = small(figures=figures), small(figures=figures, metrics={"check": {"use": "mprt"}}, differences={})
    assert plan.by_layers(without) == []
    assert plan.figures(without, "m") == ["coherence"]
    assert not [job for job in plan.jobs(without) if job[0] == "exhibit_randomised"]
    assert plan.by_layers(study) == ["check"]
    assert plan.figures(study, "m") == figures
    jobs = [wildcards for step, wildcards in plan.jobs(study) if step == "exhibit_randomised"]
    assert jobs == [{"dataset": d, "model": m} for d, m in plan.pairs(study)]
    read = reads.inputs("exhibit_randomised", study, jobs[0])
    assert read["cam/maps"] == "results/a/m/seed0/maps/explain/cam.zarr/zarr.json"
    assert read["cam/index"] == "results/a/m/seed0/scores/cam/index.json"
    assert len(read) == 2 * 3 + 1
    told = choices.settings("exhibit_randomised", study, jobs[0])["layered"]
    assert told == {"check": {"mode": "cascading", "protocol": protocols.identity("check", study["metrics"]["check"])}}
    assert plan.figures(study | {"methods": {}}, "m") == ["coherence"]


def test_an_array_of_a_metrics_store_has_its_maps_name_where_there_are_several():
    assert plan.array_name("rise", "maps") == "maps"
    assert plan.array_name("smoothgrad.square", "maps") == "square.maps"


def test_the_names_of_inputs_do_not_depend_on_where_the_results_are():
    here, there = small(), small(results="/somewhere/else")
    for (step, wildcards), _ in zip(plan.jobs(here), plan.jobs(there), strict=True):
        assert reads.inputs(step, here, wildcards).keys() == reads.inputs(step, there, wildcards).keys()
