"""Settings of the whole suite, and the folder of real data."""

import os
from pathlib import Path

import pytest
import torch

import pipeline.vision  # noqa: F401: before captum, zennit, quantus or grad-cam import torchvision themselves

torch.set_num_threads(1)  # the tensors are tiny: threads would only wait for each other


@pytest.fixture(scope="session")
def real_data():
    """The folder that ASSAY_DATA names, with mnist/ and the like below it."""
    folder = os.environ.get("ASSAY_DATA")
    if not folder:
        pytest.skip("ASSAY_DATA names no folder of real data")
    return Path(folder)
