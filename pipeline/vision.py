"""Torchvision, for everyone: the only importer.

A CPU build of torch beside the registry's torchvision, a CUDA build, lacks two operators whose mere registration
fails on import. Declaring their schemas is enough, since nothing here calls them.
"""

import torch

try:
    import torchvision
except RuntimeError:
    _library = torch.library.Library("torchvision", "DEF")
    _library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision

__all__ = ["torchvision"]
