"""The methods that look at one layer, on the project's networks: axioms on random weights, photographs on real ones."""

import csv
import inspect

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline import weights
from pipeline.attribution._layers import layer_gradient, to_image_size
from pipeline.attribution.cam import cam
from pipeline.attribution.eigen_cam import eigen_cam
from pipeline.attribution.grad_cam import grad_cam
from pipeline.attribution.grad_cam_plus_plus import grad_cam_plus_plus
from pipeline.attribution.guided_grad_cam import guided_grad_cam
from pipeline.attribution.hires_cam import hires_cam
from pipeline.attribution.layer_activation import layer_activation
from pipeline.attribution.layer_cam import layer_cam
from pipeline.attribution.score_cam import score_cam
from pipeline.attribution.x_grad_cam import x_grad_cam
from pipeline.data._pixels import normalise
from pipeline.models._target import last_map
from pipeline.models.cifar_resnet import TARGET_LAYER, cifar_resnet
from pipeline.models.torchvision import torchvision

FAMILY = [grad_cam, grad_cam_plus_plus, hires_cam, layer_cam, x_grad_cam, cam, eigen_cam, layer_activation]
FAMILY += [score_cam, guided_grad_cam]
STATISTICS = {"mean": torch.tensor([0.485, 0.456, 0.406]), "std": torch.tensor([0.229, 0.224, 0.225])}


def explain(method, model, images, targets, **given):
    wanted = inspect.signature(method).parameters
    return method(model, images, targets, **given, **{key: STATISTICS[key] for key in STATISTICS if key in wanted})


def network(name):
    """A network of the project with random weights, in float64, two images, the classes it sees, and its layer."""
    torch.manual_seed(1)
    if name == "cifar_resnet":
        model, side = cifar_resnet(channels=3, classes=10, size=(32, 32), depth=20), 32
    else:
        model, side = torchvision(channels=3, classes=10, size=(64, 64), arch=name), 64
    images = torch.randn(2, 3, side, side, dtype=torch.float64)
    model = model.double().eval().requires_grad_(False)
    layer = TARGET_LAYER if name == "cifar_resnet" else last_map(model, images)
    return model, images, model(images).argmax(1), layer


NAMES = ["cifar_resnet", "resnet18", "squeezenet1_1"]
INNER = {
    "cifar_resnet": "layer2.0.relu2",
    "resnet18": "layer2.1.relu_2",
    "squeezenet1_1": "features.7.squeeze_activation",
}


@pytest.mark.parametrize("name", NAMES)
def test_every_method_explains_the_projects_networks(name):
    model, images, targets, layer = network(name)
    for method in FAMILY:
        if (method, name) in {(cam, "squeezenet1_1"), (score_cam, "resnet18")}:
            continue  # the one has no linear layer, as CAM's requirement says, and 512 channels of the other take long
        options = {"baseline": "none"} if method is score_cam else {}  # a random network is no surer than of nothing
        maps = explain(method, model, images, targets, layer=layer, **options)
        assert maps.shape in {(2, 1, *images.shape[2:]), images.shape}
        assert maps.dtype == torch.float64
        assert maps.isfinite().all()
        assert (maps.flatten(1).std(dim=1) > 0).all(), method.__name__


@pytest.mark.parametrize("name", ["cifar_resnet", "resnet18"])
def test_on_a_residual_network_the_gradient_methods_are_cam_up_to_a_factor_and_their_cuts(name, at_layer):
    model, images, _, layer = network(name)
    targets = torch.tensor([0, 7])
    size = layer_gradient(model, images, targets, layer)[0].shape[2:]
    found = {method: at_layer(explain(method, model, images, targets, layer=layer), size) for method in FAMILY[:6]}
    expected = found[cam] / (size[0] * size[1])
    assert (expected < 0).any()
    assert (expected > 0).any()
    for method, wanted in {grad_cam: expected.relu(), hires_cam: expected, x_grad_cam: expected}.items():
        torch.testing.assert_close(found[method], wanted, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("inner", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_what_hires_cam_and_x_grad_cam_sum_to(name, inner, at_layer):
    model, images, targets, layer = network(name)
    layer = INNER[name] if inner else layer
    features, slope = layer_gradient(model, images, targets, layer)
    expected = (slope * features).sum((1, 2, 3))
    assert expected.all()
    for method in (hires_cam, x_grad_cam):
        found = at_layer(method(model, images, targets, layer=layer), features.shape[2:])
        torch.testing.assert_close(found.sum((1, 2, 3)), expected, rtol=1e-8, atol=1e-12)


def photographs(folder, count):
    """The first photographs with one box smaller than a quarter: (N, 3, 224, 224), their labels, the boxes as masks."""
    table = csv.DictReader((folder / "labels_boxes.csv").read_text(encoding="utf-8").splitlines())
    images, labels, boxes = [], [], []
    for row in table:
        left, top, right, bottom = (float(side) * 224 / 227 for side in row["boxes_xyxy_227"].split(";")[0].split())
        if ";" in row["boxes_xyxy_227"] or (right - left) * (bottom - top) > 224**2 / 4:
            continue
        picture = Image.open(folder / row["wnid"] / row["file"]).convert("RGB").resize((224, 224), Image.BILINEAR)
        images.append(normalise(torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None], **STATISTICS)[0])
        labels.append(int(row["label"]))
        boxes.append(torch.zeros(224, 224))
        boxes[-1][int(top) : int(bottom) + 1, int(left) : int(right) + 1] = 1
        if len(images) == count:
            break
    return torch.stack(images), torch.tensor(labels), torch.stack(boxes)


@pytest.fixture
def squeezenet(real_data):
    model = torchvision(channels=3, classes=1000, size=(224, 224), arch="squeezenet1_1")
    (path,) = (real_data / "weights").glob("squeezenet1_1_*.pth")
    weights.fill(model, weights.read(path), path.name)
    return model.eval().requires_grad_(False)


@pytest.mark.real_data
def test_real_weights_that_end_in_one_map_for_each_class_give_that_map(squeezenet, real_data):
    images, labels, _ = photographs(real_data / "imagenet_val1300", 4)
    layer = last_map(squeezenet, images)
    logits = squeezenet(images).gather(1, labels[:, None])[..., None, None]
    features, _ = layer_gradient(squeezenet, images, labels, layer)
    own = to_image_size(features[range(4), labels][:, None], images)
    assert (logits > 1).all()
    places = features[0, 0].numel()
    for method in (grad_cam, hires_cam, layer_cam, x_grad_cam):
        found = method(squeezenet, images, labels, layer=layer)
        torch.testing.assert_close(found * places, own, rtol=1e-5, atol=1e-5)
    found = grad_cam_plus_plus(squeezenet, images, labels, layer=layer)
    torch.testing.assert_close(found * (2 + logits), own, rtol=1e-5, atol=1e-5)  # the gradient is 1 / places


@pytest.mark.real_data
def test_real_weights_see_what_lies_in_the_box(squeezenet, real_data):
    images, labels, boxes = photographs(real_data / "imagenet_val1300", 4)
    layer = "features.12.expand3x3_activation"
    for method in (grad_cam, grad_cam_plus_plus, hires_cam, layer_cam, x_grad_cam, guided_grad_cam):
        maps = method(squeezenet, images, labels, layer=layer).abs().amax(1)
        inside = (maps * boxes).sum((1, 2)) / maps.sum((1, 2)) / boxes.mean((1, 2))
        assert (inside > 1.3).all(), method.__name__


@pytest.mark.real_data
def test_score_cam_on_a_trained_residual_network_agrees_with_grad_cam(real_data, cifar10_test_images):
    model = cifar_resnet(channels=3, classes=10, size=(32, 32), depth=20)
    (path,) = (real_data / "weights").glob("cifar10_resnet20-*.th")
    weights.fill(model, weights.read(path), path.name)
    model.eval().requires_grad_(False)
    images = normalise(torch.from_numpy(cifar10_test_images[0][:8].copy()), **STATISTICS)
    targets = model(images).argmax(1)
    maps = [explain(method, model, images, targets, layer=TARGET_LAYER) for method in (score_cam, grad_cam)]
    alike = [np.corrcoef(*(each[i].flatten().numpy() for each in maps))[0, 1] for i in range(8)]
    assert min(alike) > 0.5, alike
