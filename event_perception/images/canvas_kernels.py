# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Compiled loops between the sensor and a canvas that moves with the scene.

    W(x, t)  where pixel x of the sensor looks on the canvas     W(x, t + dt) = W(x - v dt, t)
    Y(c, t)  where point c of the canvas is on the sensor        Y(c, t + dt) = Y(c, t) + v(Y) dt

Both are smooth, so carrying them along with the flow step after step loses nothing, while an image carried along
that way would blur. Maps are float32 (2, H, W), channel 0 = x; canvas coordinates include its margin.
"""

import numpy as np
from numba import njit

FAST = {'reassoc', 'contract', 'nsz', 'arcp'}
f32 = np.float32


@njit(cache=True, nogil=True, fastmath=FAST, error_model='numpy')
def carry_map(old, flow, dt, new, moved):  # type: ignore[no-untyped-def]
    """new(x) = old(x - v dt), bilinear; beyond the border the map is continued linearly.

    Args:
        old: float32 (2, H, W).
        flow: px/s, float32 (2, H, W).
        dt: Seconds, float32.
        new: Output, float32 (2, H, W).
        moved: Output, new - old, float32 (2, H, W).
    """
    rows, columns = old.shape[1:]
    last_x, last_y, zero, one = f32(columns - 2), f32(rows - 2), f32(0), f32(1)
    for i in range(rows):
        for j in range(columns):
            x, y = f32(j) - dt * flow[0, i, j], f32(i) - dt * flow[1, i, j]
            a, b = np.uint32(min(max(x, zero), last_x)), np.uint32(min(max(y, zero), last_y))
            u, v = x - f32(a), y - f32(b)
            a1, b1 = a + np.uint32(1), b + np.uint32(1)
            q00, q01, q10, q11 = (one - v) * (one - u), (one - v) * u, v * (one - u), v * u
            new[0, i, j] = (
                q00 * old[0, b, a] + q01 * old[0, b, a1] + q10 * old[0, b1, a] + q11 * old[0, b1, a1]
            )
            new[1, i, j] = (
                q00 * old[1, b, a] + q01 * old[1, b, a1] + q10 * old[1, b1, a] + q11 * old[1, b1, a1]
            )
            moved[0, i, j], moved[1, i, j] = new[0, i, j] - old[0, i, j], new[1, i, j] - old[1, i, j]


@njit(cache=True, nogil=True, error_model='numpy')
def splat_signed(x, y, p, share, off_weight, before, moved, canvas):  # type: ignore[no-untyped-def]
    """Add each event, +1 or -off_weight, to the four canvas pixels around where its pixel looked at its time.

    Args:
        x: Columns (n,).
        y: Rows (n,).
        p: Polarities (n,), -1 or +1.
        share: Time of the event within the step, float32 (n,) in [0, 1].
        off_weight: What an OFF event counts.
        before: W at the start of the step, float32 (2, H, W).
        moved: What it gains over the step.
        canvas: E, float32 (Hc, Wc), added to.

    Returns:
        Number of events that fell outside the canvas.
    """
    rows, columns = canvas.shape
    outside = 0
    for n in range(x.shape[0]):
        i, j, s = y[n], x[n], share[n]
        a = before[0, i, j] + s * moved[0, i, j]
        b = before[1, i, j] + s * moved[1, i, j]
        if not (0 <= a < columns - 1 and 0 <= b < rows - 1):
            outside += 1
            continue
        column, row = int(a), int(b)
        u, v = a - f32(column), b - f32(row)
        value = f32(1) if p[n] > 0 else -off_weight
        lower = value * v
        upper = value - lower
        canvas[row, column] += upper - upper * u
        canvas[row, column + 1] += upper * u
        canvas[row + 1, column] += lower - lower * u
        canvas[row + 1, column + 1] += lower * u
    return outside


@njit(cache=True, nogil=True, fastmath=FAST, error_model='numpy')
def accumulate(where, flow, valid, dt, moved_by, change, kept, kept_lost, per_px, A, B):  # type: ignore[no-untyped-def]
    """Move Y along, and add d d^T and E d at every canvas point in view: also where nothing happened.

    d = W(y, t + dt) - W(y, t) is how far the line of sight of the sensor pixel y moved on the canvas. Where the flow
    is not known, nothing is added and what was known fades faster.

    Args:
        where: Y, float32 (2, Hc, Wc), changed.
        flow: px/s, float32 (2, H, W).
        valid: 1 where it is known, else 0, float32 (H, W).
        dt: Seconds, float32.
        moved_by: W at the end of the step minus W at its start, float32 (2, H, W).
        change: E, float32 (Hc, Wc).
        kept: What remains of A and B after the step, float32.
        kept_lost: The same where flow is not known.
        per_px: What is forgotten per pixel of motion, 1/px, float32.
        A: A_xx, A_xy, A_yy, float32 (3, Hc, Wc), changed.
        B: B_x, B_y, float32 (2, Hc, Wc), changed.
    """
    rows, columns = flow.shape[1:]
    last_x, last_y = f32(columns - 1), f32(rows - 1)
    one, zero, half = f32(1), f32(0), f32(0.5)
    for i in range(change.shape[0]):
        for j in range(change.shape[1]):
            x, y = where[0, i, j], where[1, i, j]
            inner_x, inner_y = min(max(x, zero), last_x), min(max(y, zero), last_y)
            a, b = (
                min(np.uint32(inner_x), np.uint32(columns - 2)),
                min(np.uint32(inner_y), np.uint32(rows - 2)),
            )
            u, v = inner_x - f32(a), inner_y - f32(b)
            a1, b1 = a + np.uint32(1), b + np.uint32(1)
            lower, upper = v, one - v
            q00, q01, q10, q11 = upper * (one - u), upper * u, lower * (one - u), lower * u
            vx = q00 * flow[0, b, a] + q01 * flow[0, b, a1] + q10 * flow[0, b1, a] + q11 * flow[0, b1, a1]
            vy = q00 * flow[1, b, a] + q01 * flow[1, b, a1] + q10 * flow[1, b1, a] + q11 * flow[1, b1, a1]
            where[0, i, j], where[1, i, j] = x + dt * vx, y + dt * vy
            seen = (abs(x - half * last_x) <= half * last_x + half) & (
                abs(y - half * last_y) <= half * last_y + half
            )
            # One step back, W there is as good as at the new place: both belong to the same step.
            dx = q00 * moved_by[0, b, a] + q01 * moved_by[0, b, a1]
            dx += q10 * moved_by[0, b1, a] + q11 * moved_by[0, b1, a1]
            dy = q00 * moved_by[1, b, a] + q01 * moved_by[1, b, a1]
            dy += q10 * moved_by[1, b1, a] + q11 * moved_by[1, b1, a1]
            known = valid[b, a] * valid[b1, a1]
            moved = per_px * np.sqrt(dx * dx + dy * dy)
            keep = (kept if known > zero else kept_lost) / (one + moved + half * moved * moved)
            use = known if seen else zero
            keep = keep if seen else kept
            E = change[i, j] * use
            A[0, i, j] = keep * A[0, i, j] + use * dx * dx
            A[1, i, j] = keep * A[1, i, j] + use * dx * dy
            A[2, i, j] = keep * A[2, i, j] + use * dy * dy
            B[0, i, j] = keep * B[0, i, j] + E * dx
            B[1, i, j] = keep * B[1, i, j] + E * dy


@njit(cache=True, nogil=True, fastmath=FAST, error_model='numpy')
def follow_prior(prior, where, A, kept, least_evidence, unseen, H, worth):  # type: ignore[no-untyped-def]
    """Take what each canvas point shows now into the mean of what it showed before.

    Args:
        prior: Image on the sensor, float32 (H, W); beyond its border it is continued.
        where: Y, float32 (2, Hc, Wc).
        A: A_xx, A_xy, A_yy, float32 (3, Hc, Wc).
        kept: Share of the past that remains, float32.
        least_evidence: Trace of A at which half of that remains, px^2, float32.
        unseen: Worth of a point out of view, against 1 in view, float32; the past does not add to it.
        H: The mean, float32 (Hc, Wc), changed.
        worth: Of the mean, in images, float32 (Hc, Wc), changed.
    """
    rows, columns = prior.shape
    last_x, last_y, zero, one, half = f32(columns - 1), f32(rows - 1), f32(0), f32(1), f32(0.5)
    for i in range(H.shape[0]):
        for j in range(H.shape[1]):
            x, y = where[0, i, j], where[1, i, j]
            inner_x, inner_y = min(max(x, zero), last_x), min(max(y, zero), last_y)
            a = min(np.uint32(inner_x), np.uint32(columns - 2))
            b = min(np.uint32(inner_y), np.uint32(rows - 2))
            u, v = inner_x - f32(a), inner_y - f32(b)
            upper = prior[b, a] + u * (prior[b, a + np.uint32(1)] - prior[b, a])
            below = b + np.uint32(1)
            lower = prior[below, a] + u * (prior[below, a + np.uint32(1)] - prior[below, a])
            now = upper + v * (lower - upper)
            evidence = A[0, i, j] + A[2, i, j]
            past = worth[i, j] * kept * evidence / max(evidence + least_evidence, f32(1e-9))
            seen = (abs(x - inner_x) <= half) & (abs(y - inner_y) <= half)
            fresh = one if seen else unseen
            H[i, j] += fresh / (past + fresh) * (now - H[i, j])
            worth[i, j] = past + fresh if seen else past
