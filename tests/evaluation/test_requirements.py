"""What metrics ask of methods and data sets, and that what lacks it is told so."""

import pytest
import torch

from pipeline import plugins, signatures
from pipeline.evaluation._requirements import draws, marked

GIVEN = {"model": None, "images": torch.zeros(1, 1, 2, 2)}
SAMPLED = {"d_rise", "expected_gradients", "kernel_shap", "lime", "posterior", "rise", "smoothgrad", "sobol"}


def test_methods_that_draw_samples_are_told_from_those_that_do_not():
    methods = {name: plugins.load("attribution", name) for name in signatures.names("attribution")}
    found = {name for name, method in methods.items() if draws(**GIVEN, method=method, masks=None) is None}
    assert found >= SAMPLED
    assert not {"gradient", "integrated_gradients", "grad_cam", "random_map", "occlusion"} & found


def test_each_lack_has_its_sentence():
    def drawing_once(model, *, generator):
        """A method that draws, and says not how often."""

    assert draws(**GIVEN, method=plugins.load("attribution", "gradient"), masks=None) == (
        "the method draws nothing at random"
    )
    assert draws(**GIVEN, method=drawing_once, masks=None) == (
        "the method has no parameter samples, of how often it draws"
    )
    assert draws(**GIVEN, method=None, masks=None) == "the method draws nothing at random"


def test_one_marked_pixel_of_one_image_is_enough():
    masks = torch.zeros(3, 2, 2, dtype=torch.bool)
    assert marked(**GIVEN, method=None, masks=None) == "the object is marked in none of the images"
    assert marked(**GIVEN, method=None, masks=masks) == "the object is marked in none of the images"
    masks[2, 1, 0] = True
    assert marked(**GIVEN, method=None, masks=masks) is None


@pytest.mark.parametrize("method", [{"use": "gradient"}, {"use": "smoothgrad", "base": {"use": "gradient"}}, None])
def test_a_metric_is_unfit_where_a_need_that_it_lists_is_not_met(method):
    given = {"method": method, "masks": None}
    assert plugins.unfit({"use": "deletion"}, None, GIVEN["images"], **given) is None
    reason = plugins.unfit({"use": "convergence"}, None, GIVEN["images"], **given)
    assert reason == (None if method and "base" in method else "the method draws nothing at random")
