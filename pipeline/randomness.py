"""Random numbers that depend on a key and on nothing else: not on batch size, order, device or number of workers."""

import hashlib
from collections.abc import Callable

import torch
from torch import Tensor


def seeded(*key: object, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a generator whose stream is determined by ``key``, such as ("smoothgrad", 0), and the kind of device."""
    digest = hashlib.sha256(repr(key).encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def per_image(ids: Tensor, shape: tuple[int, ...], *key: object, draw: Callable[..., Tensor] = torch.rand) -> Tensor:
    """Return one draw of ``shape`` for each image, determined by the image's id and ``key``: (N, *shape), on the CPU.

    Args:
        ids: (N,) int64, the images' places in their data set.
        shape: shape of one image's draw.
        key: what else the draw depends on, such as the purpose and a seed.
        draw: ``torch.rand``, ``torch.randn`` or the like: called with ``shape`` and ``generator``.
    """
    return torch.stack([draw(shape, generator=seeded(*key, i)) for i in ids.tolist()])
