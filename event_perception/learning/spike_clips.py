# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Spike streams with exact truth to learn from: pictures that slide, turn and grow in front of our spike camera.

Light levels, motion and noise are spread as a network must know them; the camera is ``SpikeEmulator``. Clips of one
call are exposed together, stacked on top of each other, each at its own gain.
"""

from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import cv2
import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.learning.pictures import folder_pictures, own_pictures
from event_perception.simulation.spikes import SpikeEmulator, spike_sensor

LEAST_STEP_PX = 0.7  # pixels of the picture per pixel of the view: less would show the picture's own pixels


@dataclass(frozen=True, slots=True)
class SpikeClipConfig:
    """Size, light, motion, noise and pictures of the clips."""

    n_planes: int = param(41, 'Planes of a clip; the truth is the light at its middle plane.', ge=1)
    height: int = param(64, 'Rows, px.', ge=8)
    width: int = param(64, 'Columns, px.', ge=8)
    usual_gain: float = param(
        0.6, 'Spikes per plane at intensity 1, of the usual share of the clips.', ge=1e-3, le=1.0
    )
    usual_share: float = param(0.4, 'Share of the clips at the usual gain.', ge=0.0, le=1.0)
    least_gain: float = param(0.12, 'The others: least gain, log-uniform.', ge=1e-3, le=1.0)
    largest_gain: float = param(1.0, 'The others: largest gain.', ge=1e-3, le=1.0)
    noisy_share: float = param(
        0.5, 'Share of clips with the noise of the `typical` sensor; the others have none.', ge=0.0, le=1.0
    )
    max_speed_px_plane: float = param(0.6, 'Fastest slide, px per plane.', ge=0.0, le=10.0)
    speed_exponent: float = param(
        1.0, 'Speeds are the fastest times u to this power, u uniform: 1 is uniform, 2 favours slow ones.',
        ge=0.1, le=10.0,
    )  # fmt: skip
    max_turn: float = param(
        0.01, 'Fastest turn, rad per plane, and fastest growth, per plane.', ge=0.0, le=0.1
    )
    largest_step_px: float = param(
        1.1, 'Most pixels of the picture per pixel of the view, at least 0.7; 2 gives texture as fine as pixels.',
        ge=0.7, le=8.0,
    )  # fmt: skip
    still_share: float = param(0.1, 'Share of clips without motion.', ge=0.0, le=1.0)
    own_pictures: int = param(40, 'Pictures drawn from the seed.', ge=0)
    picture_seed: int = param(1, 'Seed of those pictures.', ge=0)
    picture_side_px: int = param(384, 'Side of those pictures, px.', ge=64)
    pictures: str = param('', 'Folder of further pictures; empty for none.')


@dataclass(frozen=True, eq=False)
class SpikeClips:
    """Clips with their truth.

    Attributes:
        planes: Spikes, 0 or 1, uint8 (n, planes, H, W).
        light: Intensity at the middle plane, float32 (n, H, W) on [0, 1]; a rate is gain * light.
        gain: Spikes per plane at intensity 1, float32 (n,).
        speed_px_plane: Speed of the middle of the view, float32 (n,).
        noisy: Whether the sensor is noisy, bool (n,).
    """

    planes: NDArray[np.uint8]
    light: NDArray[np.float32]
    gain: NDArray[np.float32]
    speed_px_plane: NDArray[np.float32]
    noisy: NDArray[np.bool_]


class SpikeClipMaker:
    """Makes clips from random numbers; may be used by several threads. Pictures are made at the first call.

    Args:
        config: What the clips are like.
    """

    def __init__(self, config: SpikeClipConfig | None = None) -> None:
        self.config = config or SpikeClipConfig()
        self._pictures: list[NDArray[np.float32]] = []
        self._lock = Lock()

    def __call__(self, random: np.random.Generator, count: int) -> SpikeClips:
        """So many new clips.

        Raises:
            DataError: If the folder of pictures holds none.
        """
        c, pictures = self.config, self._all_pictures()
        noisy = np.sort(random.random(count) < c.noisy_share)
        gain = np.where(
            random.random(count) < c.usual_share,
            c.usual_gain,
            np.exp(random.uniform(np.log(c.least_gain), np.log(c.largest_gain), count)),
        ).astype(np.float32)
        views = [_View(random, pictures, c) for _ in range(count)]
        n_clean = count - int(noisy.sum())
        planes = np.empty((count, c.n_planes, c.height, c.width), np.uint8)
        light = np.empty((count, c.height, c.width), np.float32)
        for part, sensor in ((slice(0, n_clean), 'clean'), (slice(n_clean, count), 'typical')):
            if views[part]:
                self._expose(views[part], gain[part], sensor, random, planes[part], light[part])
        speed = np.array([np.hypot(*view.velocity) for view in views], np.float32)
        return SpikeClips(planes, light, gain, speed, noisy)

    def _expose(
        self,
        views: list['_View'],
        gain: NDArray[np.float32],
        sensor: str,
        random: np.random.Generator,
        planes: NDArray[np.uint8],
        light: NDArray[np.float32],
    ) -> None:
        c = self.config
        camera = SpikeEmulator(
            spike_sensor(sensor, gain=1.0, seed=int(random.integers(2**31))),  # type: ignore[arg-type]
            height=len(views) * c.height,
            width=c.width,
        )
        frames = np.empty((len(views), c.height, c.width), np.float32)
        for i in range(c.n_planes):
            for view, frame in zip(views, frames):
                view.draw(i - c.n_planes // 2, frame)
            if i == c.n_planes // 2:
                light[:] = frames
            exposed = (frames * gain[:, None, None]).reshape(-1, c.width)
            planes[:, i] = camera.expose(exposed).reshape(frames.shape)

    def _all_pictures(self) -> list[NDArray[np.float32]]:
        with self._lock:
            if not self._pictures:
                c = self.config
                self._pictures = own_pictures(c.picture_seed, c.own_pictures, c.picture_side_px)
                self._pictures += folder_pictures(Path(c.pictures)) if c.pictures else []
            return self._pictures


class _View:
    """A camera over a picture: where it looks, and how it moves."""

    def __init__(
        self, random: np.random.Generator, pictures: list[NDArray[np.float32]], c: SpikeClipConfig
    ) -> None:
        picture = pictures[random.integers(len(pictures))]
        picture = picture[:, :: random.choice((-1, 1))]
        picture = np.rot90(picture, int(random.integers(4)))
        contrast = random.uniform(0.5, 1.0)
        brightness = random.uniform(0.0, 1.0 - contrast)
        self._picture = np.ascontiguousarray(picture) ** np.float32(random.uniform(0.7, 1.6))
        self._picture = self._picture * np.float32(contrast) + np.float32(brightness)
        sides = np.array(picture.shape[::-1], float)
        self._centre = random.uniform(0.2, 0.8, 2) * sides
        self._angle, self._scale = (
            random.uniform(-np.pi, np.pi),
            random.uniform(LEAST_STEP_PX, c.largest_step_px),
        )
        self._view_centre = np.array([(c.width - 1) / 2, (c.height - 1) / 2])
        moves = random.random() >= c.still_share
        speed = c.max_speed_px_plane * random.random() ** c.speed_exponent * moves
        direction = random.uniform(-np.pi, np.pi)
        self.velocity = speed * np.array([np.cos(direction), np.sin(direction)])
        turns = moves * (random.random(2) < 0.4)  # most clips only slide
        share = random.uniform(-1, 1, 2)
        self._turn, self._growth = c.max_turn * np.sign(share) * np.abs(share) ** c.speed_exponent * turns

    def draw(self, plane: int, out: NDArray[np.float32]) -> None:
        """The light of a plane, counted from the middle one, into ``out``."""
        angle = self._angle + self._turn * plane
        scale = self._scale * np.exp(self._growth * plane)
        linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        # The picture slides by the velocity in pixels of the view, whatever way it is turned.
        offset = self._centre - linear @ (self._view_centre + self.velocity * plane)
        cv2.warpAffine(
            self._picture,
            np.column_stack([linear, offset]),
            (out.shape[1], out.shape[0]),
            dst=out,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT,
        )
        np.clip(out, 0, 1, out=out)
