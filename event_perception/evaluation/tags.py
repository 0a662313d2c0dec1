# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""How good a reconstructed image is, by what a machine reads in it: AprilTags found by OpenCV's detector.

A tag is found only if its border is closed and its 36 bits are right; no reference image is needed. Detectors
differ: OpenCV 5 finds nearly twice as many tags in images from events as OpenCV 4. Compare only figures of one
version, and means over many images rather than maxima.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from event_perception import images
from event_perception.errors import ConfigError, DataError
from event_perception.events import EventArray

DICTIONARIES = {
    '16h5': 'DICT_APRILTAG_16h5',
    '25h9': 'DICT_APRILTAG_25h9',
    '36h10': 'DICT_APRILTAG_36h10',
    '36h11': 'DICT_APRILTAG_36h11',
}


class SampleSource(Protocol):
    """What is needed of a recording."""

    def samples(self) -> Iterable[Any]:
        """Everything in it, in time order."""
        ...


@dataclass(frozen=True, eq=False)
class Tags:
    """Tags found in one image: ``ids`` int (n,), and ``corners_px`` float32 (n, 4, 2) as (x, y)."""

    ids: NDArray[np.int64]
    corners_px: NDArray[np.float32]

    def __len__(self) -> int:
        return self.ids.shape[0]


@dataclass(frozen=True, eq=False)
class TagScore:
    """Tags found in a series of images.

    Attributes:
        method: Name of the reconstruction.
        t_s: Instants after the first event, (n,), seconds.
        count: Different tags found at each, (n,).
        seen_ids: All ids found in any image, sorted.
    """

    method: str
    t_s: NDArray[np.float64]
    count: NDArray[np.int64]
    seen_ids: tuple[int, ...]

    @property
    def best(self) -> int:
        """Most tags in one image."""
        return int(self.count.max(initial=0))

    @property
    def mean(self) -> float:
        """Mean number of tags in an image."""
        return float(self.count.mean()) if self.count.size else 0.0

    @property
    def first_s(self) -> float | None:
        """Instant of the first image with a tag, seconds; None if there is none."""
        found = np.flatnonzero(self.count)
        return float(self.t_s[found[0]]) if found.size else None

    def images_with(self, n: int) -> int:
        """Number of images with at least n tags."""
        return int(np.count_nonzero(self.count >= n))

    def summary(self) -> dict[str, Any]:
        """The figures as plain values."""
        return {
            'method': self.method,
            'images': int(self.count.size),
            'best': self.best,
            'mean': self.mean,
            'images_with_all': self.images_with(len(self.seen_ids)) if self.seen_ids else 0,
            'first_s': self.first_s,
            'seen_ids': list(self.seen_ids),
        }


def count_tags(
    image: NDArray[np.float32], *, family: str = '36h11', ids: Iterable[int] | None = None
) -> Tags:
    """Find AprilTags with OpenCV's default settings.

    Args:
        image: Float (H, W) in [0, 1], or uint8.
        family: Name of the tag family.
        ids: Only these ids count, each once; None for all that are found.

    Raises:
        ConfigError: If the family is unknown.
        DataError: If the image is not two-dimensional.
    """
    if image.ndim != 2:
        raise DataError(f'image of shape {image.shape}: tags are looked for in grey images (H, W)')
    grey: NDArray[Any] = image if image.dtype == np.uint8 else (np.clip(image, 0, 1) * 255).astype(np.uint8)
    corners, found, _ = _detector(family)(grey)
    if found is None or not len(found):
        return Tags(np.zeros(0, np.int64), np.zeros((0, 4, 2), np.float32))
    flat = np.asarray(found).reshape(-1).astype(np.int64)
    unique, first = np.unique(flat, return_index=True)
    wanted = np.ones(len(unique), bool) if ids is None else np.isin(unique, list(ids))
    stacked = np.asarray(corners, np.float32).reshape(-1, 4, 2)
    return Tags(unique[wanted], stacked[first[wanted]])


@cache
def _detector(family: str) -> Callable[[NDArray[np.uint8]], tuple[Any, Any, Any]]:
    """OpenCV's detector; before 4.7 it was a function of the extra modules."""
    if family not in DICTIONARIES:
        raise ConfigError(f'tag family {family!r} is unknown; choose one of {sorted(DICTIONARIES)}')
    if not hasattr(cv2, 'aruco'):
        raise ConfigError(f'OpenCV {cv2.__version__} has no tag detector; install 4.7 or later')
    name = getattr(cv2.aruco, DICTIONARIES[family])
    if hasattr(cv2.aruco, 'ArucoDetector'):
        detect: Callable[..., Any] = cv2.aruco.ArucoDetector(
            cv2.aruco.getPredefinedDictionary(name)
        ).detectMarkers
        return detect
    old_aruco: Any = cv2.aruco
    dictionary = old_aruco.Dictionary_get(name)
    return lambda grey: old_aruco.detectMarkers(grey, dictionary)


def tag_score(
    recording: SampleSource,
    method: str = 'highpass',
    *,
    period_s: float = 0.01,
    stop_s: float = 0.98,
    ids: Iterable[int] | None = range(12),
    **params: Any,
) -> TagScore:
    """Reconstruct images at regular instants of a recording and count the tags in each.

    Args:
        recording: Where the events come from.
        method: Name of the reconstruction.
        period_s: Time between images, seconds; the first is one period after the first event.
        stop_s: No image later than this after the first event, seconds.
        ids: Ids that can be there; anything else is a false alarm and does not count.
        params: Parameters of the reconstruction.

    Raises:
        DataError: If the recording holds no events.
    """
    wanted = None if ids is None else tuple(ids)
    t_s, counts, seen = [], [], set()
    for t, image in images_of(recording, method, period_s=period_s, stop_s=stop_s, **params):
        tags = count_tags(image, ids=wanted)
        t_s.append(t)
        counts.append(len(tags))
        seen.update(tags.ids.tolist())
    return TagScore(method, np.array(t_s), np.array(counts, np.int64), tuple(sorted(seen)))


def images_of(
    recording: SampleSource, method: str, *, period_s: float, stop_s: float, **params: Any
) -> Iterable[tuple[float, NDArray[np.float32]]]:
    """Images at the multiples of a period after the first event, with their instants in seconds.

    Raises:
        DataError: If the recording holds no events.
    """
    reconstructor = None
    period_ns, next_index = round(period_s * 1e9), 1
    start_ns = ahead_ns = 0
    for events in recording.samples():
        if not isinstance(events, EventArray) or not len(events):
            continue
        if reconstructor is None:
            reconstructor = images.create(method, height=events.height, width=events.width, **params)
            start_ns = int(events.t_ns[0])
            ahead_ns = round(getattr(reconstructor, 'lookahead_s', 0.0) * 1e9)
        done = 0
        while (t_ns := start_ns + next_index * period_ns) + ahead_ns <= events.t_ns[-1]:
            if t_ns - start_ns > round(stop_s * 1e9):
                return
            stop = int(np.searchsorted(events.t_ns, t_ns + ahead_ns))
            reconstructor.push(events[done:stop])
            yield (t_ns - start_ns) * 1e-9, reconstructor.image(t_ns)
            done, next_index = stop, next_index + 1
        reconstructor.push(events[done:])
    if reconstructor is None:
        raise DataError('the recording holds no events to make images of')
