# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Fit the pristine model of NIQE: to pictures drawn from a seed, or to a folder of good photographs.

``python -m event_perception.evaluation.niqe_fit`` writes the parameters that come with the package again.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError
from event_perception.evaluation.niqe import FEATURES, PARAMETERS, PristineModel, patch_features
from event_perception.learning.pictures import folder_pictures, own_pictures

SEED, COUNT, SIDE_PX = 7, 125, 480
SHARP_SHARE = 0.75
"""Of the sharpest patch of a picture: less sharp patches are out of focus and left out, as in the paper."""


def fit(pictures: Iterable[NDArray[np.float32]]) -> PristineModel:
    """The Gaussian of the sharp patches of good pictures, each (H, W) on [0, 1].

    Raises:
        DataError: If they have too few sharp patches for a covariance.
    """
    kept = []
    for picture in pictures:
        features, sharpness = patch_features(picture)
        if len(features):
            kept.append(features[sharpness > SHARP_SHARE * sharpness.max()])
    n = sum(map(len, kept))
    if n <= 2 * FEATURES:
        raise DataError(
            f'{n} sharp patches are too few for {FEATURES} features; give more or larger pictures'
        )
    joined = np.concatenate(kept)
    return PristineModel(joined.mean(axis=0), np.cov(joined, rowvar=False))


def main(arguments: list[str] | None = None) -> str:
    """Fit and write; what was written, in one line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--pictures', type=Path, metavar='FOLDER', help='photographs; else drawn pictures')
    parser.add_argument('-o', '--output', type=Path, default=PARAMETERS, metavar='FILE', help='an .npz file')
    options = parser.parse_args(arguments)
    pictures = folder_pictures(options.pictures) if options.pictures else own_pictures(SEED, COUNT, SIDE_PX)
    model = fit(pictures)
    np.savez(options.output, mean=model.mean, covariance=model.covariance)
    return f'{options.output}: fitted to {len(pictures)} pictures'


if __name__ == '__main__':
    print(main())  # noqa: T201
