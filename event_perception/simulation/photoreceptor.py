# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The first stage of a pixel in torch: light to filtered log light, differentiable; that of ``DvsEmulator``."""

import numpy as np
import torch
from torch import Tensor

from event_perception.errors import ConfigError
from event_perception.simulation.dvs_config import DvsConfig
from event_perception.simulation.dvs_kernels import BLACK_OFFSET_DN, WHITE_DN

SMALL_X = 1e-4  # below it (1 - exp(-x)) / x is taken from its series


class Photoreceptor:
    """Log light after one pole whose rate grows with light, fed one frame at a time.

    Args:
        config: Pixel model.

    Raises:
        ConfigError: If the filter is not the exact one.
    """

    def __init__(self, config: DvsConfig) -> None:
        if config.cutoff_hz > 0 and config.filter != 'exact':
            raise ConfigError(f"filter={config.filter!r}: only 'exact' can be differentiated")
        self.config = config
        self._level: Tensor | None = None

    def push(self, frame: Tensor, dt_s: float) -> Tensor:
        """Filtered log light of a frame that comes ``dt_s`` after the last; the first one sets the state.

        Args:
            frame: Light of any shape as ``config.input_transfer`` says, perhaps attached.
            dt_s: Seconds since the last frame; not used for the first.
        """
        light = self._light_dn(frame)
        log_light = light if self.config.input_transfer == 'log' else self._response(light)
        if self._level is None or self.config.cutoff_hz == 0:
            self._level = log_light
        else:
            self._level = self._filtered(self._level, log_light, light, dt_s)
        self._log_light = log_light
        return self._level

    def detach(self) -> None:
        """Cut the graph at the last frame."""
        if self._level is not None:
            self._level, self._log_light = self._level.detach(), self._log_light.detach()

    def _filtered(self, level: Tensor, log_light: Tensor, light: Tensor, dt_s: float) -> Tensor:
        """Exact for light that is linear between frames."""
        dn = light.exp() if self.config.input_transfer == 'log' else light
        share = (dn + BLACK_OFFSET_DN) / (WHITE_DN + BLACK_OFFSET_DN)
        x = 2 * np.pi * self.config.cutoff_hz * dt_s * share
        small = x < SMALL_X
        mean = torch.where(small, 1 - x / 2 + x * x / 6, -torch.expm1(-x) / torch.where(small, 1.0, x))
        old = self._log_light
        return log_light + (level - old) * torch.exp(-x) - (log_light - old) * mean

    def _light_dn(self, frame: Tensor) -> Tensor:
        transfer = self.config.input_transfer
        if transfer == 'linear':
            return 255.0 * frame
        if transfer == 'srgb':
            v = frame / 255.0
            dark = v <= 0.04045
            bright = ((torch.where(dark, 1.0, v) + 0.055) / 1.055) ** 2.4
            return 255.0 * torch.where(dark, v / 12.92, bright)
        return frame

    def _response(self, light: Tensor) -> Tensor:
        """Linear below the knee, logarithm above."""
        knee = self.config.linlog_knee_dn
        return torch.where(light <= knee, light * (np.log(knee) / knee), light.clamp(min=knee).log())
