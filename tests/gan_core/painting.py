"""Pictures as files, for the tests of a folder of images."""

import numpy as np
from PIL import Image


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


def flat(value, height=32, width=32):
    return np.full((height, width, 3), value, np.uint8)
