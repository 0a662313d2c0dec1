# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Short event recordings with exact flow to learn from: a moving background, half of the time something before it.

Motion, texture, contrast threshold and noise are spread as a network must know them; the sensor is ``DvsEmulator``.
A clip is a row of windows, so that a network with memory can be trained; its unit of time is one window.
"""

from dataclasses import dataclass
from threading import Lock

import cv2
import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.events import EventArray, concatenate
from event_perception.learning.moving_layers import MovingLayer, composed_flow, composed_light
from event_perception.learning.pictures import own_pictures
from event_perception.simulation.dvs import DvsEmulator
from event_perception.simulation.dvs_config import dvs_preset

WHITE_DN = 255.0


@dataclass(frozen=True, slots=True)
class FlowClipConfig:
    """Size, motion, sensor and number of the clips."""

    clips: int = param(400, 'Different clips; each is used many times, turned and mirrored.', ge=1)
    windows: int = param(2, 'Windows of a clip.', ge=1, le=100)
    height: int = param(96, 'Rows, px; square views can be turned.', ge=32)
    width: int = param(96, 'Columns, px.', ge=32)
    window_s: float = param(0.05, 'Length of a window, seconds.', ge=1e-3, le=1.0)
    max_events: int = param(6000, 'Events of a window; more are thinned out at random.', ge=100)
    max_slide_px: float = param(
        16.0, 'Fastest slide, px per window; half of all slides are below a quarter.', ge=0.0
    )
    max_deformation_px: float = param(
        6.0, 'Fastest turn, growth and shear, px per window at the border.', ge=0.0, le=50.0
    )
    object_share: float = param(
        0.5, 'Share of clips with something that moves before the background.', ge=0.0, le=1.0
    )
    least_threshold: float = param(0.15, 'Least contrast threshold, ln units.', ge=0.05, le=1.0)
    largest_threshold: float = param(0.45, 'Largest contrast threshold, ln units.', ge=0.05, le=1.0)
    max_noise_hz: float = param(1.0, 'Largest rate of noise events of a dark pixel, Hz.', ge=0.0)
    frame_motion_px: float = param(
        0.7, 'Largest motion between two frames given to the sensor, px.', ge=0.05, le=2.0
    )
    pictures: int = param(30, 'Pictures drawn from the seed.', ge=1)
    seed: int = param(1, 'Seed of pictures and clips.', ge=0)


@dataclass(frozen=True, eq=False)
class FlowClip:
    """Events of consecutive windows with their flow.

    Attributes:
        points: float32 (K, N, 3): x px, y px, time as a fraction of the window.
        polarity: float32 (K, N): -1, +1, or 0 for padding.
        flow: Velocity in the middle of each window, float32 (K, 2, H, W), px per window.
    """

    points: NDArray[np.float32]
    polarity: NDArray[np.float32]
    flow: NDArray[np.float32]


class FlowClipMaker:
    """Draws clips by number, each once; may be used by several threads.

    Args:
        config: What the clips are like.
    """

    def __init__(self, config: FlowClipConfig | None = None) -> None:
        self.config = config or FlowClipConfig()
        self._pictures: list[NDArray[np.float32]] = []
        self._clips: dict[int, FlowClip] = {}
        self._lock = Lock()

    def clip(self, number: int) -> FlowClip:
        """The clip of this number; the same number gives the same bytes."""
        with self._lock:
            if number in self._clips:
                return self._clips[number]
            if not self._pictures:
                side = 4 * max(self.config.height, self.config.width)
                self._pictures = own_pictures(self.config.seed, self.config.pictures, side)
        clip = self._make(np.random.default_rng((self.config.seed, number)))
        with self._lock:
            return self._clips.setdefault(number, clip)

    def _make(self, random: np.random.Generator) -> FlowClip:
        c = self.config
        layers = [self._layer(random, None)]
        if random.random() < c.object_share:
            layers.append(self._layer(random, _shape(random, c.height, c.width)))
        events = self._record(layers, random)
        parts = [self._window(events, k, random) for k in range(c.windows)]
        flow = [composed_flow(layers, k + 0.5, c.height, c.width) for k in range(c.windows)]
        return FlowClip(np.stack([p for p, _ in parts]), np.stack([q for _, q in parts]), np.stack(flow))

    def _layer(self, random: np.random.Generator, cover: NDArray[np.float32] | None) -> MovingLayer:
        """A picture at a random place, turned and scaled, with a random motion."""
        c = self.config
        picture = self._pictures[random.integers(len(self._pictures))]
        contrast = np.float32(random.uniform(0.5, 1.0))
        light = np.float32(0.05) + np.float32(0.95) * (contrast * picture + random.random() * (1 - contrast))
        angle, scale = random.uniform(-np.pi, np.pi), random.uniform(0.6, 1.2)
        turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        middle = np.array([(c.width - 1) / 2, (c.height - 1) / 2])
        where = random.uniform(0.35, 0.65, 2) * picture.shape[::-1]
        speed = c.max_slide_px * random.random() ** 2
        direction = random.uniform(-np.pi, np.pi)
        strength = c.max_deformation_px / max(c.height, c.width) * 2
        return MovingLayer(
            picture=light.astype(np.float32),
            cover=cover,
            view_to_picture=np.column_stack([turn, where - turn @ middle]),
            middle=middle,
            slide=speed * np.array([np.cos(direction), np.sin(direction)]),
            deformation=strength * random.uniform(-0.5, 0.5, (2, 2)) * random.random(),
        )

    def _record(self, layers: list[MovingLayer], random: np.random.Generator) -> EventArray:
        c = self.config
        fastest = max(
            float(np.abs(layer.velocity(t, c.height, c.width)).max())
            for layer in layers
            for t in (0, c.windows)
        )
        frames = int(np.ceil(c.windows * max(fastest / c.frame_motion_px, 8.0)))
        threshold = random.uniform(c.least_threshold, c.largest_threshold)
        sensor = dvs_preset(
            'clean',
            threshold_on=threshold,
            threshold_off=threshold * random.uniform(0.9, 1.1),
            shot_noise_rate_hz=random.uniform(0, c.max_noise_hz),
            random_initial_phase=True,
            input_transfer='log',
            seed=int(random.integers(2**31)),
        )
        camera = DvsEmulator(height=c.height, width=c.width, config=sensor)
        parts = []
        for t in np.linspace(0.0, c.windows, frames + 1):
            light = composed_light(layers, float(t), c.height, c.width)
            parts.append(camera.push(np.log(WHITE_DN * light), round(t * c.window_s * 1e9)))
        return concatenate([*parts, camera.flush()])

    def _window(
        self, events: EventArray, k: int, random: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        c, length_ns = self.config, self.config.window_s * 1e9
        first, last = np.searchsorted(events.t_ns, [k * length_ns, (k + 1) * length_ns])
        index = np.arange(first, last)
        if index.size > c.max_events:
            index = np.sort(random.choice(index, c.max_events, replace=False))
        points, polarity = np.zeros((c.max_events, 3), np.float32), np.zeros(c.max_events, np.float32)
        fraction = events.t_ns[index] / length_ns - k
        points[: index.size] = np.stack([events.x[index], events.y[index], fraction], axis=-1)
        polarity[: index.size] = events.p[index]
        return points, polarity


def turned(clip: FlowClip, random: np.random.Generator) -> FlowClip:
    """The clip mirrored, transposed and run backwards at random: all are recordings that a sensor could have made.

    Run backwards, every event changes its polarity.
    """
    points, polarity, flow = clip.points.copy(), clip.polarity, clip.flow
    height, width = flow.shape[-2:]
    if random.random() < 0.5:
        points[..., 0] = width - 1 - points[..., 0]
        flow = flow[..., ::-1] * np.array([-1, 1], np.float32)[:, None, None]
    if random.random() < 0.5:
        points[..., 1] = height - 1 - points[..., 1]
        flow = flow[..., ::-1, :] * np.array([1, -1], np.float32)[:, None, None]
    if height == width and random.random() < 0.5:
        points = points[..., [1, 0, 2]]
        flow = np.swapaxes(flow, -1, -2)[:, ::-1]
    if random.random() < 0.5:
        points[..., 2] = 1 - points[..., 2]
        points, polarity, flow = points[::-1], -polarity[::-1], -flow[::-1]
    return FlowClip(points, polarity, flow)


def _shape(random: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """A filled ellipse or polygon somewhere in the view, with soft edges."""
    mask = np.zeros((height, width), np.uint8)
    centre = random.uniform(0.2, 0.8, 2) * (width, height)
    radius = random.uniform(0.12, 0.35) * min(height, width)
    corners = int(random.choice((4, 5, 6, 24)))
    angle = np.sort(
        random.uniform(0, 2 * np.pi)
        + 2 * np.pi * (np.arange(corners) + 0.5 * random.random(corners)) / corners
    )
    outline = centre + radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    cv2.fillPoly(mask, [np.round(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return mask.astype(np.float32) / np.float32(255)
