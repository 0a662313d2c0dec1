# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Camera models, warps, objectives, solvers, egomotion. Names load on first use: numba only when needed."""

from event_perception.lazy import lazily

_PUBLIC = {
    'BinGrid': 'grid',
    'CameraModel': 'camera',
    'EgomotionConfig': 'egomotion_config',
    'EgomotionEstimator': 'egomotion',
    'EgomotionResult': 'result',
    'GyroPrior': 'gyro_prior',
    'contrast_of': 'contrast',
    'image_of_warped_events': 'warped_image',
}

__all__ = list(_PUBLIC)
__getattr__, __dir__ = lazily(__name__, _PUBLIC)
