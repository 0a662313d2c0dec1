# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""One picture of a run: events as they came, motion-compensated, the image with tags, the flow."""

from pathlib import Path

import cv2
import numpy as np

from event_perception.errors import DataError
from event_perception.evaluation import pictures
from event_perception.evaluation.tags import count_tags
from event_perception.flow.field import FlowField


def montage(folder: Path, warped: Path) -> pictures.Picture:
    """Four pictures side by side: image and flow of the instant where most tags are read, and the sharpest window.

    Args:
        folder: A run folder with images and flow.
        warped: A folder with pairs of event images of the same recording.

    Raises:
        DataError: If one of them is missing.
    """
    images = {int(f.stem): f for f in (folder / 'images').glob('*.png')}
    flows = {int(f.stem): f for f in (folder / 'flow').glob('*.npz')}
    if not (images and flows and warped.is_dir()):
        raise DataError(f'{folder} needs images, flow and event images for a montage')
    greys = {
        t: np.float32(1 / 255) * np.asarray(cv2.imread(str(f), 0), np.float32) for t, f in images.items()
    }
    best = max(greys, key=lambda t: (len(count_tags(greys[t])), t))
    with np.load(sharpest(list(warped.glob('*.npz')))) as pair:
        scale = pictures.event_scale(pair['warped'])
        before, after = (pictures.events_picture(pair[k], scale=scale) for k in ('unwarped', 'warped'))
    field = read_flow(flows[_nearest(best, flows)])
    return pictures.side_by_side(
        [
            before,
            after,
            pictures.tags_picture(greys[best], count_tags(greys[best]), enlarge=1),
            pictures.flow_picture(field),
        ],
        ['events of one window', 'motion-compensated', 'reconstructed image, tags read', 'optical flow'],
    )


def read_flow(file: Path) -> FlowField:
    """Flow of one file of a run folder, named after its instant."""
    with np.load(file) as content:
        return FlowField(int(file.stem), content['flow_px_s'], content['valid'])


def sharpest(files: list[Path]) -> Path:
    """The pair of event images where warping gains most variance."""

    def gain(file: Path) -> float:
        with np.load(file) as pair:
            return float(pair['warped'].var() / max(float(pair['unwarped'].var()), 1e-12))

    return max(files, key=gain)


def _nearest(t_ns: int, files: dict[int, Path]) -> int:
    return min(files, key=lambda t: abs(t - t_ns))
