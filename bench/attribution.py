"""Maps a second of the methods, against the libraries that people use and against the floor, on one thread.

Peer, ours and floor run in turn, round after round, and the fastest round of each counts. The floor is what the
definition cannot do without: so many forward, and forward and backward, passes of the bare network, its batch norm
folded, channels last, weights frozen. Peers get the project's allocator settings too, unless ``--installed`` is given.
"""

import argparse
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from bench._interleaved import seconds
from bench._report import report
from pipeline import machine, plugins
from pipeline.randomness import seeded
from pipeline.vision import torchvision  # noqa: F401  before the peers, which import torchvision

SAMPLES, MASKS, BATCH = 50, 200, 64
MEAN, STD = torch.tensor([0.4914, 0.4822, 0.4465]), torch.tensor([0.2470, 0.2435, 0.2616])
Call = Callable[[], object]


class Setting(NamedTuple):
    """A network, its images and what the methods need to know."""

    model: nn.Module
    images: Tensor
    targets: Tensor
    layer: str


class Row(NamedTuple):
    """One method: its entry, the peer, and the passes (forward, forward and backward) of its definition."""

    name: str
    entry: Mapping[str, Any]
    peer: Callable[[Setting], Call] | None
    passes: tuple[float, float]
    images: int = 64  # of one call


def main() -> None:
    """Print the table, and write it where the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="simple_cnn", choices=["simple_cnn", "cifar_resnet"], help="which")
    parser.add_argument("--methods", nargs="*", default=[row.name for row in ROWS], help="which rows")
    parser.add_argument("--images", type=int, help="images of one call; as each row states, unless given")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of which the fastest counts")
    parser.add_argument("--installed", action="store_true", help="leave the allocator as it is")
    parser.add_argument("--markdown", type=Path, help="file to write the table to")
    given = parser.parse_args()
    if given.installed:
        torch.set_num_threads(1)
    else:
        machine.prepare(1, 0)
    chosen = [row._replace(images=given.images or row.images) for row in ROWS if row.name in given.methods]
    rows = [measured(row, given.network, given.rounds) for row in chosen]
    report(rows, __doc__, 2, given.markdown)


def setting(network: str, count: int) -> Setting:
    """Return an untrained network in the form in which the steps use it, and random images."""
    torch.manual_seed(0)
    model = plugins.network({"use": network}, channels=3, classes=10, size=(32, 32))
    model = model.to(memory_format=torch.channels_last).eval().requires_grad_(False)
    images = torch.randn(count, 3, 32, 32).to(memory_format=torch.channels_last)
    layer = plugins.signatures.constant("models", network, "TARGET_LAYER")
    return Setting(model, images, torch.randint(10, (count,)), layer)


def measured(row: Row, network: str, rounds: int) -> dict[str, object]:
    """Return one row of the table."""
    made = setting(network, row.images)
    calls: dict[str, Call] = {"ours": ours(row.entry, made)}
    if row.peer:
        calls["peer"] = row.peer(plain(made))
    made = setting(network, BATCH)  # the batch that is fastest for a bare pass
    bare = Setting(folded(made.model), *made[1:])
    calls |= {"forward": lambda: forward(bare), "both": lambda: both(bare)}
    found = seconds(calls, rounds)
    floor = (row.passes[0] * found["forward"] + row.passes[1] * found["both"]) * row.images / BATCH
    count = row.images
    told: dict[str, object] = {"method": row.name, "ours (maps/s)": count / found["ours"]}
    told["peer (maps/s)"] = count / found["peer"] if row.peer else float("nan")
    told["ours / peer"] = found["peer"] / found["ours"] if row.peer else float("nan")
    return told | {"floor (maps/s)": count / floor, "time / floor": found["ours"] / floor}


def ours(entry: Mapping[str, Any], made: Setting) -> Call:
    """Return a call of the project's method, bound as the step binds it."""
    precision = entry.get("precision", "float32")
    stated = {key: value for key, value in entry.items() if key != "precision"}

    def call() -> object:
        given = {"ids": torch.arange(len(made.images)), "mean": MEAN, "std": STD, "layer": made.layer}
        method = plugins.bind("attribution", stated, generator=seeded("bench"), **given)
        with torch.autocast("cpu", torch.bfloat16, precision == "bfloat16", cache_enabled=False):
            return method(made.model, made.images, made.targets)

    return call


def plain(made: Setting) -> Setting:
    """Return the setting as a user of a library has it: NCHW, weights that want gradients."""
    model = deepcopy(made.model).to(memory_format=torch.contiguous_format).requires_grad_(True)
    return Setting(model, made.images.contiguous(), *made[2:])


def folded(model: nn.Module) -> nn.Module:
    """Return the network with its batch norm folded into the convolutions before it, where both are in a row."""
    model = deepcopy(model)
    for parent in model.modules():
        for (name, first), (second_name, second) in pairwise(list(parent._modules.items())):
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                setattr(parent, name, nn.utils.fuse_conv_bn_eval(first, second))
                setattr(parent, second_name, nn.Identity())
    return model.to(memory_format=torch.channels_last).eval().requires_grad_(False)


@torch.no_grad()
def forward(made: Setting) -> Tensor:
    """Return the logits of the bare network."""
    return made.model(made.images)


def both(made: Setting) -> Tensor:
    """Return the gradient of the bare network with respect to its images."""
    images = made.images.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(made.model(images).gather(1, made.targets[:, None]).sum(), images)
    return gradient


def captum(name: str, *extra: str, **keywords: Any) -> Callable[[Setting], Call]:
    """Return the peer ``captum.attr.<name>``, called as its documentation does; ``extra`` wraps it in NoiseTunnels."""

    def peer(made: Setting) -> Call:
        from captum import attr

        method = getattr(attr, name)(made.model)
        if not extra:
            return lambda: method.attribute(made.images, target=made.targets, **keywords)
        tunnel = attr.NoiseTunnel(method)
        options = {"nt_samples": SAMPLES, "stdevs": 0.15, "target": made.targets, **keywords}
        return lambda: [tunnel.attribute(made.images, nt_type=kind, **options) for kind in extra]

    return peer


def grad_cam(name: str) -> Callable[[Setting], Call]:
    """Return the peer ``pytorch_grad_cam.<name>`` at the network's target layer."""

    def peer(made: Setting) -> Call:
        import pytorch_grad_cam
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

        method = getattr(pytorch_grad_cam, name)(made.model, [made.model.get_submodule(made.layer)])
        classes = [ClassifierOutputTarget(int(target)) for target in made.targets]
        return lambda: method(made.images, classes)

    return peer


def zennit(made: Setting) -> Call:
    """Return zennit's EpsilonPlus with the canonizer that its documentation has for batch norm."""
    from zennit.attribution import Gradient
    from zennit.canonizers import SequentialMergeBatchNorm
    from zennit.composites import EpsilonPlus

    composite = EpsilonPlus(canonizers=[SequentialMergeBatchNorm()])
    choice = torch.eye(10)[made.targets]

    def call() -> object:
        with Gradient(made.model, composite) as attributor:
            return attributor(made.images, choice)

    return call


def perturbation(name: str, *, alike: bool) -> Callable[[Setting], Call]:
    """Return the peer ``captum.attr.<name>``.

    Either ``alike``, over the same 7 x 7 segments, 50 of them in one evaluation; or as it comes, where every number of
    an image is a feature of its own and evaluated alone.
    """

    def peer(made: Setting) -> Call:
        from captum import attr

        method, rows = getattr(attr, name)(made.model), torch.arange(32) * 7 // 32
        options = {"feature_mask": rows[:, None] * 7 + rows, "perturbations_per_eval": 50} if alike else {}
        return lambda: method.attribute(made.images, target=made.targets, n_samples=MASKS, **options)

    return peer


def occlusion(made: Setting) -> Call:
    """Return captum's Occlusion, 64 windows in one evaluation."""
    from captum.attr import Occlusion

    method, window = Occlusion(made.model), (3, 4, 4)
    options = {"sliding_window_shapes": window, "strides": window, "perturbations_per_eval": 64}
    return lambda: method.attribute(made.images, target=made.targets, **options)


def rise(made: Setting) -> Call:
    """Return RISE as its authors' program computes it: image by image, masked images in batches of 100."""
    masks = torch.rand(MASKS, 1, 32, 32)

    @torch.no_grad()
    def one(image: Tensor) -> Tensor:
        stack = masks * image
        scores = torch.cat([made.model(batch).softmax(1) for batch in stack.split(100)])
        return (scores.T @ masks.flatten(1)) / MASKS / 0.5

    return lambda: [one(image[None]) for image in made.images]


def project(entry: Mapping[str, Any]) -> Callable[[Setting], Call]:
    """Return another method of the project in a peer's place, on the network as the steps have it."""
    return lambda made: ours(entry, Setting(made.model.to(memory_format=torch.channels_last), *made[1:]))


def rows() -> Iterable[Row]:
    """Yield the rows of the table."""
    yield Row("gradient", {"use": "gradient"}, captum("Saliency", abs=False), (0, 1))
    yield Row("input_x_gradient", {"use": "input_x_gradient"}, captum("InputXGradient"), (0, 1))
    yield Row("guided_backprop", {"use": "guided_backprop"}, captum("GuidedBackprop"), (0, 1))
    yield Row("deconvnet", {"use": "deconvnet"}, captum("Deconvolution"), (0, 1))
    integrated = {"use": "integrated_gradients", "steps": SAMPLES}
    yield Row("integrated_gradients", integrated, captum("IntegratedGradients", n_steps=SAMPLES), (0, SAMPLES))
    smooth = {"use": "smoothgrad", "samples": SAMPLES, "base": {"use": "gradient"}}
    three = captum("Saliency", "smoothgrad", "smoothgrad_sq", "vargrad", abs=False)
    yield Row("smoothgrad, 3 parts", smooth, three, (0, SAMPLES))
    yield Row("smoothgrad, 3 parts, bfloat16", {**smooth, "precision": "bfloat16"}, three, (0, SAMPLES))
    yield Row("grad_cam", {"use": "grad_cam"}, grad_cam("GradCAM"), (1, 0))
    yield Row("score_cam", {"use": "score_cam"}, grad_cam("ScoreCAM"), (129, 0))
    yield Row("full_grad", {"use": "full_grad"}, grad_cam("FullGrad"), (0, 1))
    yield Row("t_grad", {"use": "t_grad"}, None, (0, 1))
    yield Row("lrp, epsilon_plus", {"use": "lrp", "composite": "epsilon_plus"}, zennit, (1, 1))
    yield Row("deep_lift", {"use": "deep_lift"}, captum("DeepLift"), (1 / BATCH, 1))  # one baseline for all
    windows = {"use": "occlusion", "window": 0.125, "stride": 1}
    yield Row("occlusion", windows, occlusion, (65, 0), 8)
    shap = {"use": "kernel_shap", "samples": MASKS}
    yield Row("kernel_shap", shap, perturbation("KernelShap", alike=False), (MASKS + 2, 0), 8)
    yield Row("kernel_shap, same segments", shap, perturbation("KernelShap", alike=True), (MASKS + 2, 0), 8)
    yield Row("lime, same segments", {"use": "lime", "samples": MASKS}, perturbation("Lime", alike=True), (MASKS, 0), 8)
    few = {"samples": MASKS, "grid": 8}
    yield Row("rise", {"use": "rise", **few}, rise, (MASKS, 0), 8)
    alike = {"use": "d_rise", **few, "similarity": plugins.signatures.names("similarity")}
    yield Row("d_rise, 8 similarities, against rise", alike, project({"use": "rise", **few}), (MASKS, 0), 8)


ROWS = list(rows())


if __name__ == "__main__":
    main()
