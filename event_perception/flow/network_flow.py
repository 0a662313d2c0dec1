# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Flow estimated by a network: events of a window in, displacement out, velocity told where there were events.

A network knows displacements over a window, not velocities: any window length goes in, and the displacement is
divided by it. The weights say, in their description, which task trained them and with which parameters, so a file
is enough to build the network.
"""

from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from event_perception.config import update
from event_perception.errors import ConfigError, DataError
from event_perception.events import DepthImage, EventWindow
from event_perception.flow.field import FlowField
from event_perception.flow.network_config import NetworkFlowConfig
from event_perception.flow.networks.correlation import CorrelationFlow, published_name
from event_perception.flow.networks.slices import window_fraction
from event_perception.learning import TASKS
from event_perception.learning.checkpoints import fill, read
from event_perception.learning.foreign_weights import load_foreign_weights
from event_perception.motion.camera import CameraModel
from event_perception.motion.result import EgomotionResult

SHIPPED = Path(__file__).parent / 'weights' / 'recurrent.safetensors'
PICKLED = ('.pth', '.pt', '.tar')
HOW_TO_TRAIN = (
    'train one with `event-perception train flow --method recurrent -o DIR` and give DIR/weights.safetensors'
)


class NetworkFlow:
    """Flow of window after window by a trained network.

    Args:
        config: Parameters; None for the defaults: the network that comes with the package.
        camera: Model of the camera: only its size is used.

    Attributes:
        speed_px_s: None: windows keep the length that they begin with.

    Raises:
        ConfigError: If the weights are not those of a flow network.
        DataError: If the file cannot be read or does not fit the network that it names.
    """

    config_type: ClassVar[type[NetworkFlowConfig]] = NetworkFlowConfig
    speed_px_s: float | None = None

    def __init__(self, config: NetworkFlowConfig | None, camera: CameraModel) -> None:
        self.config = config or NetworkFlowConfig()
        self._shape = (camera.height, camera.width)
        weights = Path(self.config.weights) if self.config.weights else SHIPPED
        # Channels side by side: a fifth less time for these convolutions on a CPU, the same result.
        self._network = load_flow_network(weights).to(self.config.device)
        self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.reset()

    def reset(self) -> None:
        """Forget what was seen."""
        self._state: Any = None
        self._t1_ns: int | None = None

    def update(
        self,
        window: EventWindow,
        egomotion: EgomotionResult | None = None,
        depth: DepthImage | None = None,
    ) -> FlowField:
        """Flow at the middle of the window; egomotion and depth are not used.

        Raises:
            DataError: If the window is of another sensor size than the camera.
        """
        if (window.height, window.width) != self._shape:
            raise DataError(
                f'a window of size {(window.height, window.width)} for a camera of {self._shape} (rows, columns); '
                'give the camera model of this sensor'
            )
        if self._t1_ns is not None and abs(window.t1_ns - self._t1_ns) > self.config.max_gap_s * 1e9:
            self.reset()
        self._t1_ns = window.t1_ns
        if len(window) < self.config.min_events:
            self._state = None
            return FlowField(
                window.t_ref_ns, np.zeros((2, *self._shape), np.float32), np.zeros(self._shape, bool)
            )
        flow = self._displacement(window) / np.float32(window.duration_s)
        valid = _near_events(window, self.config.reach_px) & np.isfinite(flow).all(axis=0)
        return FlowField((window.t0_ns + window.t1_ns) // 2, np.where(valid, flow, np.float32(0)), valid)

    def _displacement(self, window: EventWindow) -> NDArray[np.float32]:
        index = np.arange(len(window))
        if index.size > self.config.max_events:
            random = np.random.default_rng(window.t_ref_ns & 0xFFFF)
            index = np.sort(random.choice(index, self.config.max_events, replace=False))
        columns = (window.x[index], window.y[index], window_fraction(window)[index])
        points = torch.from_numpy(np.stack(columns, axis=-1).astype(np.float32))[None]
        polarity = torch.from_numpy(window.p[index].astype(np.float32))[None]
        threads = torch.get_num_threads()
        torch.set_num_threads(self.config.threads)
        try:
            with torch.inference_mode():
                fields, self._state = self._network(
                    points.to(self.config.device),
                    polarity.to(self.config.device),
                    height=self._shape[0],
                    width=self._shape[1],
                    state=self._state,
                )
        finally:
            torch.set_num_threads(threads)
        return np.asarray(fields[-1][0].cpu().numpy(), np.float32)


def load_flow_network(path: Path) -> torch.nn.Module:
    """Build and fill the network that a file of weights describes, ready for use.

    A pickled file (``.pth``, ``.pt``, ``.tar``) describes nothing: it is taken for one of E-RAFT, with 15 slices.

    Raises:
        ConfigError: If the file was not written by the training of a flow network.
        DataError: If it cannot be read or does not fit.
    """
    if path.suffix in PICKLED:
        published = CorrelationFlow()
        load_foreign_weights(path, published, published_name)
        return published.eval()
    tensors, about = read(path)
    name = str(about.get('task', ''))
    if not name.startswith('flow.'):
        raise ConfigError(
            f'{path} holds weights of {name or "an unknown network"}, not of a flow network; {HOW_TO_TRAIN}'
        )
    task_type = TASKS.load(name)
    task = task_type(update(task_type.config_type(), about.get('config', {})))
    network: torch.nn.Module = task.build()
    fill(network, tensors, str(path))
    return network.eval()


def _near_events(window: EventWindow, reach_px: int) -> NDArray[np.bool_]:
    hit = np.zeros((window.height, window.width), np.uint8)
    hit[window.y, window.x] = 1
    side = 2 * reach_px + 1
    return np.asarray(cv2.dilate(hit, np.ones((side, side), np.uint8)) > 0)
