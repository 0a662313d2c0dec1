# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Our ray tracer beside DeepLens, for a user who has both: focal length and spot radii of a lens file.

``python -m event_perception.evaluation.compare_with_deeplens LENS.json [--half-field DEGREES]``. Both sides trace the
d line, with hard rims, and measure from the centroid.
"""

import argparse
import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from event_perception.optics import first_order, read_lens
from event_perception.optics.bundles import bundle, field_fan
from event_perception.optics.deeplens import DeepLensAdapter
from event_perception.optics.glass import LINE_D_UM
from event_perception.optics.tracer import trace

HARD_RIM = 1e-4
RAYS = 8000


def compare(file: Path, half_field_deg: float, fields: int = 4) -> dict[str, Any]:
    """Focal lengths and rms spot radii (um) of both, and their ratios.

    Raises:
        PluginError: If DeepLens cannot be loaded.
        DataError: If our reader does not know a surface or glass of the file.
    """
    theirs = DeepLensAdapter(file)
    lens = replace(read_lens(file), wavelengths_um=(LINE_D_UM,), wavelength_weights=(1.0,))
    fan = field_fan(math.radians(half_field_deg), fields)
    with torch.no_grad():
        traced = trace(lens, bundle(lens, fan, RAYS), rim_softness=HARD_RIM)
    x, y, w = traced.rays.x[0], traced.rays.y[0], traced.weight[0]
    mean = [(part * w).sum(1, keepdim=True) / w.sum(1, keepdim=True) for part in (x, y)]
    square = (((x - mean[0]) ** 2 + (y - mean[1]) ** 2) * w).sum(1) / w.sum(1)
    ours_um = 1e3 * square.sqrt().numpy()
    theirs_um = 1e3 * theirs.rms_spots_mm(np.arctan(fan[:, 0].numpy()), rays=RAYS, wavelength_um=LINE_D_UM)
    efl = float(first_order(lens).efl_mm)
    return {
        'focal_length_mm': {
            'ours': efl,
            'deeplens': theirs.focal_length_mm,
            'ratio': efl / theirs.focal_length_mm,
        },
        'field_deg': np.degrees(np.arctan(fan[:, 0].numpy())).tolist(),
        'rms_spot_um': {'ours': ours_um.tolist(), 'deeplens': theirs_um.tolist()},
        'ratio': (ours_um / theirs_um).tolist(),
    }


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('lens', type=Path, metavar='LENS.json')
    parser.add_argument('--half-field', type=float, default=15.0, metavar='DEGREES')
    options = parser.parse_args()
    sys.stdout.write(json.dumps(compare(options.lens, options.half_field), indent=2) + '\n')


if __name__ == '__main__':
    _main()
