"""Control: uniform noise, an own map for each image.

Hooker, Erhan, Kindermans & Kim, "A Benchmark for Interpretability Methods in Deep Neural Networks", NeurIPS 2019
(arXiv:1806.10758), section 4.1, the random control that an explanation must beat.
"""

from torch import Tensor, nn

from pipeline.randomness import per_image

LABEL = "Random"
FAMILY = "control"
REDUCE = "sum"
REQUIRES = ()
PASSES = {"forward": "0", "backward": "0"}


def random_map(model: nn.Module, images: Tensor, targets: Tensor, *, ids: Tensor, seed: int = 0) -> Tensor:
    """Return noise that depends on an image's place in its data set and on ``seed``, not on its content or network.

    Args:
        model: not used.
        images: (N, C, H, W); only the shape counts.
        targets: not used.
        ids: (N,) int64, the images' places in their data set.
        seed: another seed gives other maps.

    Returns:
        (N, 1, H, W), uniform in [0, 1).
    """
    return per_image(ids, (1, *images.shape[-2:]), "random_map", seed).to(images)
