"""What an attention module of WARN says of a feature map, see pipeline/models/wide_attention.py."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    """Several heads that each attend to places, answer there, and weigh their answers: one hypothesis."""

    def __init__(self, width: int, classes: int, heads: int) -> None:
        super().__init__()
        self.heads = nn.Conv2d(width, heads, 3, padding=1, bias=False)
        self.outputs = nn.Conv2d(width, heads * classes, 3, padding=1, bias=False)
        self.scores = nn.Conv2d(width, heads, 3, padding=1, bias=False)
        self.over_places, self.tanh, self.over_heads = nn.Softmax(2), nn.Tanh(), nn.Softmax(1)
        self.overlap: Tensor | None = None

    def forward(self, features: Tensor) -> Tensor:
        """Return the hypothesis, logits: (N, C, H, W) -> (N, K)."""
        masks = self.over_places(self.heads(features).flatten(2))  # (N, heads, H * W)
        self.overlap = _overlap(masks.unflatten(2, features.shape[2:])) if self.training else None
        outputs = self.outputs(features).flatten(2).unflatten(1, (masks.shape[1], -1))  # (N, heads, K, H * W)
        hypotheses = torch.einsum("nhp,nhkp->nhk", masks, outputs)
        scores = torch.einsum("nhp,nhp->nh", masks, self.scores(features).flatten(2))
        return torch.einsum("nh,nhk->nk", self.over_heads(self.tanh(scores)), hypotheses)

    def __getstate__(self) -> dict[str, object]:
        """Leave the last batch's overlap out of a copy: it belongs to that batch's graph, which cannot be copied."""
        return self.__dict__ | {"overlap": None}


def _overlap(masks: Tensor) -> Tensor:
    """Mean square of the inner products of different heads' masks, halved in size: (N, heads, H, W) -> scalar.

    The mean is taken over all pairs, those of a head with itself counting as 0, as in the authors' program.
    """
    pooled = functional.avg_pool2d(masks, 2).flatten(2)
    products = pooled @ pooled.mT
    return (products - torch.diag_embed(products.diagonal(dim1=1, dim2=2))).square().mean()
