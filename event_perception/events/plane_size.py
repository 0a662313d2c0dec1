# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Whether the declared size of spike planes can be right: a file of planes says nothing about itself.

A pixel that has just fired must fill up again. So bits exactly one plane apart are set together far less often (in
bright light: more often) than bits beside them, and the size of a plane stands out in the autocorrelation as one
single lag. And a row looks like the next: the width stands out among all that divide the plane evenly. A declared
size is refused only when another one explains the bits better by far.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from event_perception.errors import DataError

LEAST_BYTES = 256  # 64 x 32 pixels; below, rows and patterns repeat
MOST_BYTES = 200_000  # looked at for the plane: 16 planes of 400 x 250; three planes at least
LEAST_SCORE = 20.0  # standard errors of coincidences
LEAST_ADVANTAGE = 3.0
PLANES_LOOKED_AT = 64
LEAST_RATIO = 1.5
LEAST_SIDE = 16


def check_plane_bytes(content: NDArray[np.uint8], plane_bytes: int, where: str) -> None:
    """Refuse a size of planes that the bits do not repeat with, where they clearly do with another.

    Args:
        content: The file as bytes, from the start of a plane.
        plane_bytes: Declared bytes of a plane.
        where: What the planes come from, for the message.

    Raises:
        DataError: If the size is wrong beyond doubt; names the right one.
    """
    score = plane_scores(content[: max(MOST_BYTES, 3 * plane_bytes)])
    if len(score) <= plane_bytes:
        return
    declared = float(score[plane_bytes::plane_bytes].max())
    best = float(score.max())
    if best > LEAST_SCORE and best > LEAST_ADVANTAGE * declared:
        at = int(score.argmax())
        found = min(lag for lag in range(LEAST_BYTES, at + 1) if at % lag == 0 and score[lag] > LEAST_SCORE)
        raise DataError(
            f'{where}: planes of {plane_bytes} bytes are declared, but pixels fire as if planes had {found} bytes; check '
            'height, width and kind, or set check_plane_size=False'
        )


def plane_scores(content: NDArray[np.uint8]) -> NDArray[np.float64]:
    """How far each lag (index, bytes) stands out, in standard errors of its coincidences; 0 where it cannot be told.

    What bits beside a lag expect of it is their cubic interpolation: pictures are smooth, firing is not.
    """
    last = len(content) // 2
    if last <= LEAST_BYTES:
        return np.zeros(0)
    bits = np.unpackbits(content, bitorder='little').astype(np.float32)
    size = next_fast_len(len(bits) + 8 * last, real=True)
    together = irfft(np.abs(rfft(bits, size)) ** 2, size)[: 8 * last].astype(np.float64)
    at = np.arange(LEAST_BYTES, last - 1) * 8
    near, far = together[at - 1] + together[at + 1], together[at - 2] + together[at + 2]
    expected = (4 * near - far) / 6
    score = np.zeros(last)
    score[LEAST_BYTES:-1] = np.abs(together[at] - expected) / np.sqrt(np.maximum(1.2 * near / 2, 1.0))
    return score


def check_width(canonical: NDArray[np.uint8], *, height: int, width: int, where: str) -> None:
    """Refuse a width under which rows differ much more than under another one with the same number of pixels.

    Args:
        canonical: Packed planes (n, bytes), as declared; the first 64 are looked at.
        height: Sensor rows.
        width: Sensor columns.
        where: What the planes come from, for the message.

    Raises:
        DataError: If the width is wrong beyond doubt; names the right one.
    """
    planes = canonical[:PLANES_LOOKED_AT]
    rate = np.unpackbits(planes, axis=1, bitorder='little', count=height * width).mean(
        axis=0, dtype=np.float32
    )
    others = [w for w in _divisors(height * width) if w % width and width % w]
    if not others:
        return
    differ = {w: float(np.abs(rate[w:] - rate[:-w]).mean()) for w in [width, *others]}
    best = min(others, key=differ.__getitem__)
    if differ[width] > LEAST_RATIO * differ[best]:
        raise DataError(
            f'{where}: {height} rows of {width} pixels are declared, but rows look alike at {height * width // best} rows of '
            f'{best}; check height and width, or set check_plane_size=False'
        )


def _divisors(pixels: int) -> list[int]:
    return [w for w in range(LEAST_SIDE, pixels // LEAST_SIDE + 1) if pixels % w == 0]
