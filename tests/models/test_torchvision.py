"""Networks of torchvision give the answers that torchvision's own give, and keep what methods rest on."""

import csv
import operator

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from pipeline import loaded, signatures, weights
from pipeline.models import _rewrite
from pipeline.models._branches import Add
from pipeline.models._guard import findings
from pipeline.models._target import last_map
from pipeline.models.torchvision import named_weights, torchvision
from pipeline.vision import torchvision as library

SIZE = (64, 64)
IMAGES = torch.randn(2, 3, *SIZE, generator=torch.Generator().manual_seed(1))
TARGETS = {
    "resnet18": "layer4.1.relu_2",
    "resnet50": "layer4.2.relu_3",
    "vgg16": "features.29",
    "squeezenet1_1": "classifier.2",
    "mobilenet_v2": "features.18.2",
    "densenet121": "relu",
}
SUMS = {"resnet18": 8, "resnet50": 16, "vgg16": 0, "squeezenet1_1": 0, "mobilenet_v2": 10, "densenet121": 0}


def build(arch, channels=3, classes=7, size=SIZE):
    torch.manual_seed(0)
    return torchvision(channels=channels, classes=classes, size=size, arch=arch)


@pytest.mark.parametrize("arch", TARGETS)
def test_a_network_is_torchvisions_own_with_the_same_names_and_nothing_against_it(arch):
    model = build(arch)
    with torch.device("meta"):
        theirs = library.models.get_model(arch, weights=None, num_classes=7)
    theirs.load_state_dict(model.state_dict(), assign=True)
    assert {name for name, _ in theirs.named_modules()} <= {name for name, _ in model.named_modules()}
    with torch.no_grad():
        expected = theirs.eval()(IMAGES)
        assert torch.equal(model.eval()(IMAGES), expected)
    assert expected.abs().max() > 0
    assert findings(model, IMAGES, 7) == []
    assert last_map(model, IMAGES) == TARGETS[arch]
    assert sum(isinstance(module, Add) for module in model.modules()) == SUMS[arch]


@pytest.mark.parametrize("arch", ["resnet18", "densenet121", "mobilenet_v2"])
def test_training_goes_as_in_torchvisions_own(arch):
    model, theirs = build(arch), library.models.get_model(arch, weights=None, num_classes=7)
    theirs.load_state_dict(model.state_dict())
    states = []
    for network in (model, theirs):
        torch.manual_seed(3)  # dropout
        network.train()(IMAGES).square().sum().backward()
        found = {name: parameter.grad for name, parameter in network.named_parameters()}
        states.append(found | dict(network.named_buffers()))
    assert states[0].keys() == states[1].keys()
    for name, value in states[1].items():
        torch.testing.assert_close(states[0][name], value, rtol=1e-4, atol=1e-5 * float(value.abs().max()))


def test_stochastic_depth_drops_in_training_only():
    model = build("efficientnet_b0").eval()
    assert sum(isinstance(module, Add) for module in model.modules()) == 9
    assert findings(model, IMAGES, 7) == []
    with torch.no_grad():
        model.classifier.get_submodule("1").weight.mul_(1e9)  # the first weights leave next to nothing of an image
        assert not torch.equal(*(model.train()(IMAGES) for _ in range(2)))


def test_auxiliary_heads_are_off_and_passed_over_in_weights():
    model = build("googlenet")
    torch.manual_seed(1)
    theirs = library.models.get_model("googlenet", weights=None, num_classes=7, aux_logits=True, init_weights=False)
    weights.fill(model, theirs.state_dict(), "theirs")
    theirs.eval().transform_input = True
    with torch.no_grad():
        assert torch.equal(model.eval()(IMAGES), theirs(IMAGES))
    assert findings(model, IMAGES, 7) == []


@pytest.mark.parametrize("channels", [1, 4])
def test_images_need_not_have_three_channels(channels):
    model = build("resnet18", channels=channels).eval()
    images = torch.randn(2, channels, 28, 28)
    assert findings(model, images, 7) == []
    assert model.get_submodule("conv1").weight.shape == (64, channels, 7, 7)
    assert build("googlenet", channels=1).eval()(torch.randn(2, 1, 64, 64)).shape == (2, 7)


def test_a_transformer_is_built_for_the_size_of_the_images():
    assert build("vit_b_32").eval()(IMAGES).shape == (2, 7)
    with pytest.raises(ValueError, match=r"arch: vit_b_32 takes square images, got 64 x 32\Z"):
        build("vit_b_32", size=(64, 32))


@pytest.mark.parametrize(
    ("arch", "says"),
    [
        ("resnet_18", "did you mean 'resnet18'"),
        ("vgg", "did you mean 'vgg19' or 'vgg16' or 'vgg13'?"),
        ("fcn_resnet50", "no classification network 'fcn_resnet50'; did you mean"),
        ("qqq", "there are: alexnet, convnext_base"),
    ],
)
def test_an_unknown_network_is_refused_with_those_that_are_near(arch, says):
    with pytest.raises(ValueError, match=r"^arch: torchvision has no classification network") as refusal:
        build(arch)
    assert says in str(refusal.value)


def test_weights_have_an_address_and_the_first_digits_of_their_sha256():
    entry = {"use": "torchvision", "arch": "resnet18"}
    expected = {"url": "https://download.pytorch.org/models/resnet18-f37072fd.pth", "sha256": "f37072fd"}
    assert named_weights("IMAGENET1K_V1", entry) == named_weights("DEFAULT", entry) == expected
    with pytest.raises(
        ValueError, match=r"weights: resnet18 has none called 'V3'; there are: IMAGENET1K_V1, DEFAULT\Z"
    ):
        named_weights("V3", entry)
    for arch in library.models.list_models(module=library.models):
        for name in library.models.get_model_weights(arch).__members__:
            assert len(named_weights(name, {"arch": arch})["sha256"]) >= 8


def test_the_module_states_no_layer_so_that_it_is_found():
    assert loaded.target_layer({"use": "grad_cam"}, {"use": "torchvision", "arch": "resnet18"}) is None
    assert signatures.constant("models", "torchvision", "LABEL").format(arch="resnet18") == "resnet18"


class Mixed(nn.Module):
    """Everything that is rewritten, and what looks like it and is not."""

    def __init__(self):
        super().__init__()
        self.conv, self.shared, self.inner = nn.Conv2d(3, 3, 1), nn.LeakyReLU(0.3, inplace=True), nn.Sequential()
        self.shift, self.relu = nn.Parameter(torch.ones(1)), nn.Identity()

    def forward(self, images):
        first = self.shared(self.conv(images))
        second = self.relu(self.shared(first - 0.2) + self.shift + 1)
        third = functional.gelu(second, approximate="tanh") + torch.sigmoid(self.conv(first))
        third += functional.relu(first - second, inplace=True)
        return (third.tanh() + torch.add(third, first, alpha=2)).mean((2, 3)).relu()


def test_functional_and_reused_activations_become_modules_with_their_options():
    torch.manual_seed(0)
    model = Mixed().double()
    images = IMAGES.double()[..., :5]
    plain = [each.kind for each in findings(model, images)]
    assert {"functional", "reused", "in place"} == set(plain)
    expected = model(images)
    rewritten = _rewrite.own_activations(model)
    torch.testing.assert_close(rewritten(images), expected, rtol=0, atol=0)
    assert findings(rewritten, images) == []
    assert rewritten.state_dict().keys() == model.state_dict().keys()
    assert rewritten.get_submodule("shared_2").negative_slope == 0.3
    assert rewritten.get_submodule("relu_2")
    assert rewritten.get_submodule("gelu").approximate == "tanh"
    assert isinstance(rewritten.get_submodule("add"), Add)
    left = [node for node in rewritten.graph.nodes if node.target in {operator.add, torch.add}]
    assert len(left) == 4  # with a parameter, a number, a factor, and one branch that is none of a module


def test_what_cannot_be_traced_stays_as_it_is_and_the_guard_says_so():
    class Dynamic(nn.Module):
        def __init__(self):
            super().__init__()
            self.relu = nn.ReLU(inplace=True)

        def forward(self, images):
            return functional.relu(self.relu(images + 1) if images.sum() > -1e9 else images).mean((2, 3))

    model = Dynamic()
    assert _rewrite.own_activations(model) is model
    assert not model.relu.inplace
    assert [each.kind for each in findings(model, IMAGES)] == ["functional"]


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("arch", "file", "right"),
    [("squeezenet1_1", "squeezenet1_1_*.pth", 12), ("mobilenet_v2", "mobilenet_v2_*.pth*", 12)],
)
def test_real_weights_know_real_images(real_data, arch, file, right):
    model = build(arch, classes=1000, size=(224, 224))
    path = sorted((real_data / "weights").glob(file))[-1]
    weights.fill(model, weights.read(path), path.name)
    images, labels = real_images(real_data)
    with torch.no_grad():
        answers = model.eval()(images).argmax(1)
    assert findings(model, images[:2], 1000) == []
    assert int((answers == labels).sum()) >= right


def real_images(folder, count=16):
    """Return every so many images, (N, 3, 224, 224) as ImageNet's networks see them, and their labels."""
    root = folder / "imagenet_val1300"
    table = csv.DictReader((root / "labels_boxes.csv").read_text(encoding="utf-8").splitlines())
    rows = list(table)[:: 1300 // count][:count]
    mean, std = (torch.tensor(loaded.IMAGENET[key]).view(3, 1, 1) for key in ("mean", "std"))
    images = []
    for row in rows:
        image = Image.open(root / row["wnid"] / row["file"]).convert("RGB").resize((256, 256), Image.BILINEAR)
        pixels = torch.from_numpy(np.array(image.crop((16, 16, 240, 240))))
        images.append((pixels.permute(2, 0, 1) / 255 - mean) / std)
    return torch.stack(images), torch.tensor([int(row["label"]) for row in rows])
