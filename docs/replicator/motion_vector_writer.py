# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Ground-truth optical flow from Isaac Sim: a Replicator writer for the annotator ``motion_vectors``.

Runs inside Isaac Sim (Script Editor, or ``python.sh`` with a SimulationApp), not in a ROS environment. Writes one
``<t_ns>.npz`` a frame in the layout of ``event-perception run``: ``flow_px_s`` float32 (2, H, W), channel 0 is x, and
``valid`` bool (H, W), so that ``event-perception eval RUN --reference FOLDER`` can compare.

    writer = attach('/World/Camera', resolution=(346, 260), folder='/tmp/run/flow', frame_rate_hz=60.0)

What the renderer gives and what is made of it:

- ``motion_vectors`` is (H, W, 4); the first two channels are x and y in pixels of the render product, from where a
  pixel is now to where it was in the frame before. Forward flow over the frame interval is therefore minus that; the
  sign is checked against the pictures (below) rather than believed.
- The vectors describe the interval that ended at this frame: the flow is stamped with the middle of that interval.
- Pixels of the background, and those that were outside the picture in the frame before, are marked as not valid.

The first pair of frames with enough motion decides the sign photometrically: the picture of now, looked up at
``x + mv`` in the one before, must resemble it more than at ``x - mv``. If neither explains the change, the writer
stops with an error: then vectors are in another unit, or the renderer's motion vectors are off.
"""

from pathlib import Path

import numpy as np

try:
    import omni.replicator.core as rep
    from omni.replicator.core import AnnotatorRegistry, Writer
except ImportError:  # outside Isaac Sim only the arithmetic can be used
    rep, AnnotatorRegistry, Writer = None, None, object

MOVING_PX = 0.5  # a frame with less mean motion does not decide about the sign
BETTER = 0.9  # the right sign leaves less than this share of the change between the frames


def flow_of_motion_vectors(vectors, *, sign, frame_interval_s):
    """Flow (2, H, W), px/s, and which pixels it holds for, (H, W).

    Args:
        vectors: Data of the annotator, (H, W, 2 or more), pixels; not finite where nothing was rendered.
        sign: -1 if the vectors point to where pixels were, +1 if to where they will be.
        frame_interval_s: Simulated time from frame to frame.
    """
    mv = np.asarray(vectors, np.float32)[..., :2]
    height, width = mv.shape[:2]
    rows, columns = np.indices((height, width), np.float32)
    there = columns + mv[..., 0], rows + mv[..., 1]
    valid = np.isfinite(mv).all(axis=-1)
    valid &= (there[0] >= 0) & (there[0] <= width - 1) & (there[1] >= 0) & (there[1] <= height - 1)
    flow = np.moveaxis(np.where(valid[..., None], sign * mv, 0), -1, 0) / np.float32(frame_interval_s)
    return flow.astype(np.float32), valid


def sign_of_motion_vectors(before, now, vectors):
    """-1 or +1: which direction the vectors mean, by the pictures; 0 where there is too little motion to tell.

    Args:
        before: Grey picture of the frame before, (H, W).
        now: Grey picture of this frame, (H, W).
        vectors: Motion vectors of this frame, (H, W, 2 or more), pixels.

    Raises:
        ValueError: If neither direction explains the change between the pictures.
    """
    mv = np.nan_to_num(np.asarray(vectors, np.float32)[..., :2])
    before, now = np.asarray(before, np.float32), np.asarray(now, np.float32)
    if np.hypot(mv[..., 0], mv[..., 1]).mean() < MOVING_PX:
        return 0
    unmoved = np.abs(now - before).mean()
    # vectors that point to where a pixel was find its light in the frame before
    left = {-1: np.abs(now - _looked_up(before, mv)).mean(), 1: np.abs(now - _looked_up(before, -mv)).mean()}
    sign = min(left, key=left.get)
    if left[sign] > BETTER * unmoved:
        raise ValueError(
            f'motion vectors explain the pictures in neither direction: left over {left[-1]:.3g} (to where pixels '
            f'were) and {left[1]:.3g} (to where they will be) of a change of {unmoved:.3g}; are they in pixels?'
        )
    return sign


def _looked_up(picture, displacement):
    """Picture at x + displacement, nearest pixel."""
    height, width = picture.shape
    rows, columns = np.indices((height, width))
    x = np.clip(np.rint(columns + displacement[..., 0]).astype(int), 0, width - 1)
    y = np.clip(np.rint(rows + displacement[..., 1]).astype(int), 0, height - 1)
    return picture[y, x]


class FlowWriter(Writer):
    """Writes the flow of every frame.

    Args:
        folder: Where to, made if it is not there.
        frame_rate_hz: Rendered frames a second of simulated time.
    """

    def __init__(self, folder, frame_rate_hz):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.interval_s = 1.0 / float(frame_rate_hz)
        self.annotators = [
            AnnotatorRegistry.get_annotator('motion_vectors'),
            AnnotatorRegistry.get_annotator('rgb'),
            AnnotatorRegistry.get_annotator('ReferenceTime'),
        ]
        self._before, self._sign = None, 0

    def write(self, data):
        """Called by Replicator with the annotators' data of one frame."""
        grey = np.asarray(data['rgb'])[..., :3].mean(axis=-1)
        vectors = np.asarray(data['motion_vectors'])
        if self._before is not None and self._sign == 0:
            self._sign = sign_of_motion_vectors(self._before, grey, vectors)
        self._before = grey
        if self._sign == 0:
            return  # not known yet which way the vectors point
        time = data['ReferenceTime']
        now_s = time['referenceTimeNumerator'] / time['referenceTimeDenominator']
        flow, valid = flow_of_motion_vectors(vectors, sign=self._sign, frame_interval_s=self.interval_s)
        t_ns = round((now_s - self.interval_s / 2) * 1e9)
        np.savez(self.folder / f'{t_ns}.npz', flow_px_s=flow, valid=valid)


def attach(camera_path, *, resolution, folder, frame_rate_hz):
    """Write the flow of a camera from now on; call ``detach()`` of what is returned to end.

    Args:
        camera_path: Prim of the camera, such as /World/Camera.
        resolution: (width, height) of the pictures.
        folder: Where to write.
        frame_rate_hz: Rendered frames a second of simulated time.
    """
    rep.WriterRegistry.register(FlowWriter)
    writer = rep.WriterRegistry.get('FlowWriter')
    writer.initialize(folder=folder, frame_rate_hz=frame_rate_hz)
    writer.attach([rep.create.render_product(camera_path, resolution)])
    return writer
