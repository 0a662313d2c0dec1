# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures for people: uint8 BGR arrays (H, W, 3) of images, flow, warped events and tags, and PNG bytes of them."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError
from event_perception.evaluation.tags import Tags
from event_perception.flow.field import FlowField

Picture = NDArray[np.uint8]

SPEED_PERCENT = 99.0  # of the valid pixels: the speed shown in full colour, unless it is given
INK = (56, 40, 27)
PAPER = (255, 255, 255)
FRAME = (80, 190, 60)
MARK = (40, 40, 220)
FONT = cv2.FONT_HERSHEY_SIMPLEX


def grey_picture(image: NDArray[np.floating]) -> Picture:
    """An image (H, W) in [0, 1], clipped."""
    grey = np.rint(255 * np.clip(np.nan_to_num(image), 0, 1)).astype(np.uint8)
    return _bgr(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))


def flow_picture(field: FlowField, *, max_px_s: float | None = None, legend: bool = True) -> Picture:
    """Direction as hue, speed as saturation on white, pixels that are not valid in grey.

    Args:
        field: Flow to show.
        max_px_s: Speed in full colour; None for the 99th percentile of the valid pixels.
        legend: Whether a wheel in the corner tells directions and this speed.
    """
    if max_px_s is None:
        max_px_s = typical_speed(field)
    picture = flow_colours(field.flow_px_s, max_px_s)
    picture[~field.valid] = (225, 225, 225)
    return _with_wheel(picture, max_px_s) if legend else picture


def typical_speed(field: FlowField) -> float:
    """99th percentile of the speed of the valid pixels, px/s; 1 where nothing moves."""
    speed = np.hypot(*field.flow_px_s)[field.valid]
    return max(1.0, float(np.percentile(speed, SPEED_PERCENT))) if speed.size else 1.0


def flow_colours(flow_px_s: NDArray[np.floating], max_px_s: float) -> Picture:
    """Colours of flow vectors (2, H, W): rightward red, downward yellow-green, then cyan and violet."""
    u, v = (np.ascontiguousarray(part, np.float32) for part in flow_px_s)
    speed, angle = cv2.cartToPolar(u, v, angleInDegrees=True)
    share = np.minimum(speed * np.float32(255 / max_px_s), 255)
    hsv = np.empty((*u.shape, 3), np.uint8)  # of bytes: a node draws this at every window
    hsv[..., 0], hsv[..., 1], hsv[..., 2] = angle * np.float32(255.9 / 360), share, 255 - 0.12 * share
    return _bgr(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR_FULL))


def error_picture(
    flow: FlowField, truth: FlowField, *, interval_s: float = 0.1, full_px: float = 3.0
) -> Picture:
    """End point error from white to red, full at ``full_px`` over the interval; grey where either is not valid."""
    error = interval_s * np.linalg.norm(flow.flow_px_s - truth.flow_px_s, axis=0)
    share = np.clip(error / full_px, 0, 1)
    picture = np.full((*share.shape, 3), 255, np.uint8)
    picture[..., 0] = picture[..., 1] = np.rint(255 * (1 - share)).astype(np.uint8)
    picture[~(flow.valid & truth.valid)] = (200, 200, 200)
    return picture


def events_picture(image: NDArray[np.floating], *, scale: float | None = None) -> Picture:
    """Dark events on white, an image of (warped) events (H, W) of counts or weights.

    Args:
        image: Counts; of signed sums the magnitude is shown.
        scale: Count shown black; None for the 99th percentile of those above 0. Give the same one to
            pictures that shall be compared.
    """
    count = np.abs(np.asarray(image, np.float64))
    if scale is None:
        scale = event_scale(image)
    dark = np.clip(count / scale, 0, 1) ** 0.7
    return grey_picture(1 - dark)


def event_scale(image: NDArray[np.floating]) -> float:
    """99th percentile of the counts above 0; 1 if there are none."""
    count = np.abs(np.asarray(image, np.float64))
    return float(np.percentile(count[count > 0], 99)) if (count > 0).any() else 1.0


def tags_picture(image: NDArray[np.floating], tags: Tags, *, enlarge: int = 2) -> Picture:
    """The image, enlarged, with the outline and id of every tag found."""
    picture = grey_picture(image)
    picture = _bgr(cv2.resize(picture, None, fx=enlarge, fy=enlarge, interpolation=cv2.INTER_CUBIC))
    for tag_id, corners in zip(tags.ids, tags.corners_px):
        points = np.rint((corners + 0.5) * enlarge - 0.5).astype(np.int32)
        cv2.polylines(picture, [points.reshape(-1, 1, 2)], True, FRAME, 2, cv2.LINE_AA)
        _text(picture, str(tag_id), points.mean(axis=0), 0.3 * enlarge, MARK, bold=True)
    return picture


def side_by_side(pictures: Sequence[Picture], titles: Sequence[str] = (), *, gap_px: int = 6) -> Picture:
    """Pictures of one height in a row, with white gaps and a line of text above each.

    Raises:
        DataError: If there are none, or their heights differ.
    """
    heights = {picture.shape[0] for picture in pictures}
    if len(heights) != 1:
        raise DataError(f'pictures of heights {sorted(heights)} cannot stand side by side; resize them first')
    parts: list[Picture] = []
    for k, picture in enumerate(pictures):
        if k:
            parts.append(np.full((picture.shape[0], gap_px, 3), 255, np.uint8))
        parts.append(picture)
    row = np.hstack(parts)
    return _bgr(np.vstack([_title_bar(pictures, titles, gap_px), row])) if titles else _bgr(row)


def png_bytes(picture: NDArray[np.uint8]) -> bytes:
    """A picture (H, W, 3) BGR or (H, W) grey as PNG.

    Raises:
        DataError: If it cannot be encoded.
    """
    done, encoded = cv2.imencode('.png', picture)
    if not done:
        raise DataError(f'a picture of shape {picture.shape} and type {picture.dtype} cannot become a PNG')
    return encoded.tobytes()


def flow_wheel(size_px: int) -> tuple[Picture, NDArray[np.bool_]]:
    """Colours of all directions, full speed at the rim, and which pixels belong to the disc."""
    half = (size_px - 1) / 2
    y, x = np.mgrid[:size_px, :size_px] - half
    disc = np.hypot(x, y) <= half
    return flow_colours(np.stack([x, y]), half), disc


def _with_wheel(picture: Picture, max_px_s: float) -> Picture:
    """A legend in the upper right corner, where the picture is large enough for it."""
    height, width = picture.shape[:2]
    size = max(33, round(0.2 * min(height, width)))
    if size + 30 > height or size + 12 > width:
        return picture
    shown = picture.copy()
    wheel, disc = flow_wheel(size)
    top, left = 6, width - size - 6
    centre = (left + size // 2, top + size // 2)
    cv2.circle(shown, centre, size // 2 + 3, PAPER, -1, cv2.LINE_AA)
    shown[top : top + size, left : left + size][disc] = wheel[disc]
    cv2.circle(shown, centre, size // 2 + 1, INK, 1, cv2.LINE_AA)
    _text(shown, f'{max_px_s:.0f} px/s', (left + size / 2, top + size + 12), 0.42, INK)
    return shown


def _title_bar(pictures: Sequence[Picture], titles: Sequence[str], gap_px: int) -> Picture:
    width = sum(p.shape[1] for p in pictures) + gap_px * (len(pictures) - 1)
    bar = np.full((22, width, 3), 255, np.uint8)
    left = 0
    for picture, title in zip(pictures, titles):
        cv2.putText(bar, title, (left + 2, 15), FONT, 0.45, INK, 1, cv2.LINE_AA)
        left += picture.shape[1] + gap_px
    return bar


def _text(
    picture: Picture,
    text: str,
    centre: Sequence[float] | NDArray,
    size: float,
    colour: tuple[int, int, int],
    *,
    bold: bool = False,
) -> None:
    """Centred text with a light rim, in place."""
    (width, height), _ = cv2.getTextSize(text, FONT, size, 1)
    origin = (
        int(min(max(2, centre[0] - width / 2), picture.shape[1] - width - 2)),
        int(centre[1] + height / 2),
    )
    thickness = 2 if bold else 1
    cv2.putText(picture, text, origin, FONT, size, PAPER, thickness + 3, cv2.LINE_AA)
    cv2.putText(picture, text, origin, FONT, size, colour, thickness, cv2.LINE_AA)


def _bgr(picture: NDArray) -> Picture:
    return np.asarray(picture, np.uint8)
