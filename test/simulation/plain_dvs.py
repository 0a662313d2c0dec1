# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The documented pixel equations, written for one pixel at a time in plain Python float64; slow on purpose."""

import math

import numpy as np


def log_light(dn, knee=20.0):
    return dn * math.log(knee) / knee if dn <= knee else math.log(dn)


def filtered(y0, u0, u1, dn, cutoff_hz, dt_s):
    if cutoff_hz == 0:
        return u1
    x = 2 * math.pi * cutoff_hz * (dn + 20) / 275 * dt_s
    return u1 + (y0 - u0) * math.exp(-x) - (u1 - u0) * -math.expm1(-x) / x


def pixel_events(dn, t_ns, on, off, *, cutoff_hz=0.0, leak_hz=0.0, refractory_ns=0.0, mode='hold'):
    """Times (float ns) and polarities of one pixel whose light at ``t_ns[k]`` is ``dn[k]``.

    The reference is kept, not the residual, and events are found one after the other on the straight line
    from frame to frame: another road to the same equations than that of the emulator.
    """
    u = level = reference = log_light(dn[0])
    leak_per_ns = leak_hz * on * 1e-9
    free, events = -math.inf, []
    for k in range(1, len(dn)):
        t0, t1, u0, level0 = float(t_ns[k - 1]), float(t_ns[k]), u, level
        u = log_light(dn[k])
        level = filtered(level, u0, u, dn[k], cutoff_hz, (t1 - t0) * 1e-9)
        slope = (level - level0) / (t1 - t0)
        t = t0

        def signal(at, slope=slope, level0=level0, t0=t0):
            return level0 + slope * (at - t0)

        while True:
            if t < free:
                if free > t1:
                    break
                t = free
                if mode == 'dead':
                    reference = signal(t) + leak_per_ns * (t - t0)
            residual = signal(t) + leak_per_ns * (t - t0) - reference
            rate = slope + leak_per_ns
            if residual >= on or residual <= -off:
                when, sign = t, 1 if residual >= on else -1
            elif rate == 0:
                break
            else:
                sign = 1 if rate > 0 else -1
                when = t + ((on if sign > 0 else -off) - residual) / rate
            if when > t1:
                break
            events.append((when, sign))
            reference += on if sign > 0 else -off
            t = when
            if refractory_ns:
                free = when + refractory_ns
        reference -= leak_per_ns * (t1 - t0)
    return events


def all_events(frames, t_ns, on, off, **model):
    """Events (t_ns float, x, y, p) of a whole clip, sorted by time."""
    rows = [
        (when, x, y, sign)
        for y in range(frames.shape[1])
        for x in range(frames.shape[2])
        for when, sign in pixel_events(frames[:, y, x], t_ns, float(on[y, x]), float(off[y, x]), **model)
    ]
    return np.array(sorted(rows)).reshape(-1, 4)
