"""ImageNet's validation pictures (ILSVRC 2012), for networks that come trained: 1,000 classes, in colour.

Russakovsky et al., "ImageNet Large Scale Visual Recognition Challenge", IJCV 115(3), 2015. The archive of pictures is
given out after a login only (https://image-net.org/download-images) and has to be put into data_dir by hand.
"""

import hashlib
import io
import xml.etree.ElementTree
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from pipeline.bounds import Between
from pipeline.data import _archive
from pipeline.data._dataset import TEST, Dataset
from pipeline.data._folders import distinct
from pipeline.data._pictures import UNREADABLE, Size, centres, cropped, picture, shorter_side
from pipeline.data._regions import inside
from pipeline.data._splits import evenly

LABEL = "ImageNet"
SOURCES = {
    "ILSVRC2012_img_val.tar": {"md5": "29b22e2961454d5413ddabcf34fc5622", "urls": []},
    "ILSVRC2012_devkit_t12.tar.gz": {
        "md5": "fa75699e90414af021442c21a62c3abf",
        "urls": ["https://image-net.org/data/ILSVRC/2012/ILSVRC2012_devkit_t12.tar.gz"],
    },
    "ILSVRC2012_bbox_val_v3.tgz": {
        "md5": "f4cd18b5ea29fe6bbea62ec9c20d80f0",
        "urls": ["https://image-net.org/data/ILSVRC/2012/ILSVRC2012_bbox_val_v3.tgz"],
        "when": "boxes",
    },
}
PICTURES, DEVKIT, BOXES = SOURCES
EDGES = ("xmin", "ymin", "xmax", "ymax")
TRUTH = "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt"
META = "ILSVRC2012_devkit_t12/data/meta.mat"


def imagenet(
    root: Path,
    *,
    images: Annotated[int, Between(1, 50_000)] = 2000,
    size: Annotated[int, Between(8, 2048)] = 224,
    resize: Annotated[int, Between(8, 4096)] | None = None,
    boxes: bool = False,
) -> Dataset:
    """Return validation pictures as RGB squares, (N, 3, size, size), all of them test images, in the archive's order.

    The labels count the WordNet ids in alphabetical order, as torchvision's weights do. The pictures are decoded and
    cropped as by torchvision, which does not apply their EXIF orientation.

    Args:
        root: folder of the files in ``SOURCES``.
        images: how many, the classes as even as can be and always the same (``pipeline.data._splits.evenly``). All
            50,000 at 224 pixels are 7.5 GB in memory, 2,000 are 0.3 GB.
        size: height and width in pixels.
        resize: length of the shorter side before the central crop; None is 256 for each 224 of ``size``.
        boxes: whether to make masks of the official boxes.

    Raises:
        ValueError: if an archive is cut off or is another one, or a picture in it cannot be read.
    """
    crop = (shorter_side(size, resize), size)
    labels, classes = _labels(root / DEVKIT)
    ids = evenly(labels, images, "imagenet")
    names = {f"ILSVRC2012_val_{place + 1:08d}.JPEG": row for row, place in enumerate(ids)}
    pixels, sizes, digests = np.empty((len(ids), 3, size, size), np.uint8), {}, {}
    for name, content in _archive.members(root / PICTURES, lambda name: name in names):
        try:
            image = picture(io.BytesIO(content), upright=False)
        except UNREADABLE as error:
            raise ValueError(f"{root / PICTURES}: {name} is no readable picture: {error}") from error
        pixels[names[name]] = cropped(image, *crop)
        sizes[name], digests[name] = image.size, hashlib.sha256(content).hexdigest()
    if absent := [name for name in names if name not in sizes]:
        raise ValueError(f"{root / PICTURES} holds no {absent[0]}: it is cut off, or another archive")
    return Dataset(
        images=pixels,
        labels=labels[ids],
        split=np.full(len(ids), TEST, np.int8),
        classes=classes,
        masks=_masks(root / BOXES, {name: sizes[name] for name in names}, crop) if boxes else None,
        files=tuple((name, digests[name]) for name in names),
    )


def _labels(path: Path) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return the labels of all validation pictures, and the names of the classes, from the development kit.

    Its readme.txt, "3.1 Synsets" and "3.2 Validation data": the truth counts the synsets of meta.mat, of which only
    those without children are classes.
    """
    content = _archive.read(path, [TRUTH, META])
    truth = np.array(content[TRUTH].split(), np.int64)
    synsets = loadmat(io.BytesIO(content[META]), squeeze_me=True)["synsets"]
    leaves = synsets[synsets["num_children"] == 0]
    order = np.argsort(leaves["WNID"].astype(str))
    labels = np.zeros(int(leaves["ILSVRC2012_ID"].max()) + 1, np.int64)
    labels[leaves["ILSVRC2012_ID"][order].astype(np.int64)] = np.arange(len(order))
    words = {str(leaf["WNID"]): str(leaf["words"]).partition(",")[0] for leaf in leaves[order]}
    return labels[truth], tuple(distinct(words).values())


def _masks(path: Path, sizes: Mapping[str, Size], crop: Size) -> NDArray[np.bool_]:
    """Return the masks of the pictures of these names and (W, H), in their order: (N, size, size)."""
    members = {f"val/{name.removesuffix('.JPEG')}.xml": size for name, size in sizes.items()}
    masks = np.empty((len(members), crop[1], crop[1]), np.bool_)
    for row, (name, content) in enumerate(_archive.read(path, members).items()):
        tree = xml.etree.ElementTree.fromstring(content)
        boxes = [[float(box.findtext(edge, "nan")) for edge in EDGES] for box in tree.iter("bndbox")]
        masks[row] = inside(np.array(boxes).reshape(-1, 4), *centres(members[name], *crop))
    return masks
