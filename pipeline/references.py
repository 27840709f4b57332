"""Images to compare with: what methods that take ``references`` get from the steps."""

import numpy as np
import torch
from torch import Tensor

from pipeline.data._dataset import TRAIN
from pipeline.data._pixels import normalise
from pipeline.loaded import Data
from pipeline.randomness import seeded


def eligible(dataset: Data, explained: Tensor) -> Tensor:
    """Return the ids of the images that may be compared with.

    They are the training images; where there are none, as in a data set for networks that come trained, all images
    but those explained.

    Args:
        dataset: the data set.
        explained: ids of the images that the job explains.
    """
    train = np.flatnonzero(dataset.split == TRAIN)
    places = train if len(train) else np.setdiff1d(np.arange(len(dataset.split)), explained.numpy())
    return torch.from_numpy(places)


def draw(dataset: Data, places: Tensor, count: int, seed: int = 0) -> Tensor:
    """Return (count, C, H, W) normalised images, at random among those of ``places`` and the same at every call.

    None comes twice before every one has come once; more images begin with the fewer.

    Args:
        dataset: the data set.
        places: ids, one at least.
        count: how many.
        seed: of the choice; 0 for the maps of the store.
    """
    generator = seeded("references", seed) if seed else seeded("references")
    order = torch.randperm(len(places), generator=generator)
    chosen = places[order[torch.arange(count) % len(places)]]
    return normalise(dataset.images[chosen.to(dataset.images.device)], dataset.mean, dataset.std)
