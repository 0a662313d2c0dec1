# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""One pipeline for nodes and command line: samples in, outputs out. No threads, no clock, no ROS.

events -> windows -> egomotion -> flow
                               -> odometry
       -> images
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import singledispatchmethod
from itertools import islice, takewhile
from time import perf_counter
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from event_perception import odometry
from event_perception.errors import CalibrationError, ConfigError, DataError
from event_perception.events import (
    DepthImage,
    EventArray,
    EventWindow,
    FrameImage,
    ImuSample,
    SlicerCounts,
    SpikeStream,
    TwistPrior,
    WindowSlicer,
)
from event_perception.flow import create_from_spikes
from event_perception.flow.field import FlowField, SpikeFlowEstimator
from event_perception.flow_stage import FlowStage
from event_perception.image_stage import ImageStage, SpikeImageStage, method_parameters
from event_perception.images.frame import ReconstructedImage
from event_perception.motion import (
    CameraModel,
    EgomotionEstimator,
    EgomotionResult,
    image_of_warped_events,
)
from event_perception.motion.gyro_prior import GyroPrior
from event_perception.odometry.estimate import MapImage, Mapping, Odometry, OdometryEstimate, Predicting
from event_perception.pipeline_config import STAGES, PipelineConfig

__all__ = ['STAGES', 'Output', 'Pipeline', 'PipelineConfig', 'PipelineCounts', 'WarpedEvents']

IMU_MEMORY = 4096  # samples kept for the next windows: two seconds at 2 kHz
DEPTH_MEMORY = 8  # depth images kept; a window takes the latest one that is not younger than it

Result = TypeVar('Result')
Observer: TypeAlias = Callable[[str, int, float], None]


@dataclass(frozen=True, eq=False)
class WarpedEvents:
    """Images of the events of one window, float32 (H, W): as they came, and warped to the reference time."""

    t_ns: int
    unwarped: NDArray[np.float32]
    warped: NDArray[np.float32]


Output: TypeAlias = (
    EgomotionResult | FlowField | ReconstructedImage | OdometryEstimate | WarpedEvents | MapImage
)


@dataclass
class PipelineCounts:
    """Running totals; nothing that came in vanishes uncounted."""

    events: int = 0
    planes: int = 0
    windows: int = 0
    windows_without_camera: int = 0
    converged: int = 0
    evaluations: int = 0
    images: int = 0
    image_sources: dict[str, int] = field(default_factory=dict)
    flow_skipped: int = 0
    image_steps: int = 0
    image_steps_without_flow: int = 0
    images_unread: int = 0
    depth_dropped: int = 0
    resets: int = 0
    slicer: SlicerCounts = field(default_factory=SlicerCounts)

    @property
    def converged_share(self) -> float:
        """Share of the windows with a camera whose egomotion converged."""
        estimated = self.windows - self.windows_without_camera
        return self.converged / estimated if estimated else float('nan')


class Pipeline:
    """Runs the stages that the configuration names, on whatever stream of samples it is given.

    Args:
        config: All parameters.
        camera: The camera model; may come later as a sample.
        observer: Called as ``observer(stage, t_ns, elapsed_s)`` after each computation.

    Attributes:
        active: Stages to compute now, plus 'warped' for images of warped events and 'map' for pictures of the
            map. Start-up value: the configured stages. A node takes out what nobody subscribes to.
    """

    def __init__(
        self,
        config: PipelineConfig | None = None,
        camera: CameraModel | None = None,
        *,
        observer: Observer | None = None,
    ) -> None:
        self.config = config or PipelineConfig()
        self.active: set[str] = set(self.config.stages)
        self.counts = PipelineCounts()
        self._observer = observer
        self._slicer = WindowSlicer(self.config.window)
        self._imu: deque[ImuSample] = deque(maxlen=IMU_MEMORY)
        self._depth: deque[DepthImage] = deque(maxlen=DEPTH_MEMORY)
        self._prior: TwistPrior | None = None
        self._R_camera_imu = _imu_rotation(self.config)
        self._gyro = _gyro_prior(self.config) if self.config.fusion.use_gyro else None
        self._size: tuple[int, int] | None = None
        self._plane_size: tuple[int, int] | None = None
        self._images: ImageStage | None = None
        self._spikes: SpikeImageStage | None = None
        self._spike_flow: SpikeFlowEstimator | None = None
        self.camera: CameraModel | None = None
        if camera is not None:
            self._set_camera(camera)

    def push(self, sample: Any) -> list[Output]:
        """Take the next sample in time order; returns what it completes, oldest first.

        Raises:
            DataError: If the sample is of an unknown kind or of another sensor size than before.
            CalibrationError: If a camera model does not fit the events.
        """
        return sorted(self.stream(sample), key=_instant)

    def stream(self, sample: Any) -> Iterator[Output]:
        """As ``push``, but each output at once when it is computed: egomotion first, images last.

        The sample has been taken in only when the iterator is exhausted.
        """
        if isinstance(sample, EventArray):
            yield from self._events(sample)
        elif isinstance(sample, SpikeStream):
            yield from self._planes(sample)
        else:
            self._take(sample)

    @singledispatchmethod
    def _take(self, sample: Any) -> None:
        raise DataError(f'the pipeline has no use for a {type(sample).__name__}')

    @_take.register
    def _(self, sample: CameraModel) -> None:
        if self.camera is None or sample != self.camera:
            self._set_camera(sample)

    @_take.register
    def _(self, sample: ImuSample) -> None:
        self._imu.append(_in_camera(sample, self._R_camera_imu))
        if self._gyro is not None:
            self._gyro.push(sample)

    @_take.register
    def _(self, sample: DepthImage) -> None:
        self._depth.append(sample)

    @_take.register
    def _(self, sample: FrameImage) -> None:
        if self._images is not None:
            self._images.push_frame(sample)

    @_take.register
    def _(self, sample: TwistPrior) -> None:
        self._prior = sample

    def _events(self, events: EventArray) -> Iterator[Output]:
        if not len(events):
            return
        self._check_size(events)
        self.counts.events += len(events)
        yield from self._through_windows(self._slicer.push(events))
        if self._images is not None:
            yield from self._timed('images', events, self._images.push, self._wants('images'))
            self.counts.image_steps, self.counts.image_steps_without_flow = self._images.steps
        self.counts.slicer = self._slicer.counts

    def _planes(self, spikes: SpikeStream) -> Iterator[Output]:
        if not {'images', 'flow'} & set(self.config.stages) or not len(spikes):
            return
        if self._plane_size is None:
            self._start_spikes(spikes)
        elif (spikes.height, spikes.width) != self._plane_size:
            raise DataError(
                f'planes of a {(spikes.height, spikes.width)} sensor after planes of a {self._plane_size} one '
                '(height, width)'
            )
        self.counts.planes += len(spikes)
        if self._spike_flow is not None and self._wants('flow'):
            push = self._spike_flow.push
            yield from self._timed('flow', spikes, lambda planes: list(push(planes)))
        if self._spikes is not None:
            yield from self._timed('images', spikes, self._spikes.push, self._wants('images'))
            self.counts.image_sources = self._spikes.sources
            self.counts.images_unread = self._spikes.unread

    def _start_spikes(self, spikes: SpikeStream) -> None:
        self._plane_size = spikes.height, spikes.width
        if 'images' in self.config.stages:
            self._spikes = SpikeImageStage(self.config, spikes)
        if 'flow' in self.config.stages:
            name = self.config.flow.spike_method
            self._spike_flow = create_from_spikes(
                name, height=spikes.height, width=spikes.width, **method_parameters(self.config.flow, name)
            )

    def finish(self) -> list[Output]:
        """Close the open window, and read the images that wait for spikes to come, at the end of a recording."""
        outputs = list(self._through_windows(self._slicer.flush()))
        if self._spikes is not None and self._wants('images'):
            outputs += self._spikes.finish()
            self.counts.image_sources = self._spikes.sources
        self.counts.slicer = self._slicer.counts
        return outputs

    def reconfigure(self, config: PipelineConfig) -> None:
        """Take over changed values of live parameters; nothing that was learnt is lost."""
        self.config = config
        if self._images is not None:
            self._images.reconfigure(config)
        if self._spikes is not None:
            self._spikes.reconfigure(config)
        if self.camera is not None:
            self._estimator.config = config.egomotion
            self._flow.reconfigure(config.flow)

    @property
    def odometry(self) -> Odometry | None:
        """The odometry, once there is a camera."""
        return None if self.camera is None else self._odometry

    def reset(self) -> None:
        """Forget all motion: the stream starts again elsewhere or elsewhen."""
        self.counts.resets += 1
        self._prior = None
        self._imu.clear()
        self._depth.clear()
        if self._gyro is not None:
            self._gyro.reset()
        if self.camera is not None:
            self._estimator.reset()
            self._odometry.reset()
            self._flow.reset()

    def _set_camera(self, camera: CameraModel) -> None:
        if self._size is not None:
            _check_camera(camera, self._size)
        self.camera = camera
        config = self.config
        self._estimator = EgomotionEstimator(camera, config.egomotion)
        self._flow = FlowStage(config, camera)
        self._odometry = odometry.create(
            config.odometry.method, camera, **method_parameters(config.odometry, config.odometry.method)
        )

    def _check_size(self, events: EventArray) -> None:
        size = (events.height, events.width)
        if self._size is None:
            if self.camera is not None:
                _check_camera(self.camera, size)
            self._size = size
            if 'images' in self.config.stages:
                self._images = ImageStage(self.config, *size)
        elif self._size != size:
            raise DataError(f'events of a {size} sensor after events of a {self._size} one (height, width)')

    def _through_windows(self, windows: list[EventWindow]) -> Iterator[Output]:
        if self._slicer.counts.resets > self.counts.slicer.resets:
            self.reset()
        for window in windows:
            yield from self._through_stages(window)

    def _through_stages(self, window: EventWindow) -> Iterator[Output]:
        self.counts.windows += 1
        if self.camera is None:
            self.counts.windows_without_camera += 1
            return
        self._flow.remember(window)
        images_want_flow = self._images is not None and self._images.wants_flow and self._wants('images')
        if not (self._wants('egomotion', 'flow', 'odometry', 'warped') or images_want_flow):
            return
        egomotion = self._egomotion(window)
        if self._wants('egomotion'):
            yield egomotion
        depth = self._latest_depth(window.t_ref_ns)
        if self._wants('odometry'):
            imu = _before(self._imu, window.t1_ns)
            yield self._timed('odometry', window, self._odometry.update, egomotion, depth, imu)
            if self._wants('map') and isinstance(self._odometry, Mapping):
                yield MapImage(window.t_ref_ns, self._odometry.panorama())
        if (self._wants('flow') or images_want_flow) and self._flow.is_due(window):
            flow_field = self._timed('flow', window, self._flow.update, egomotion, depth)
            if self._images is not None:
                self._images.push_flow(flow_field)
            if self._wants('flow'):
                yield flow_field
        self.counts.flow_skipped = self._flow.skipped
        if self._wants('warped'):
            yield self._timed('warped', window, self._warped, egomotion)

    def _egomotion(self, window: EventWindow) -> EgomotionResult:
        depth = self._latest_depth(window.t_ref_ns) if self.config.fusion.use_depth else None
        if self._wants('odometry') and isinstance(self._odometry, Predicting):
            imu = _before(self._imu, window.t1_ns)
            expected = self._odometry.expect(window, self._gyro, imu) or self._prior
            result = self._timed('egomotion', window, self._estimator.update, expected, depth)
        else:
            gyro = None if self._gyro is None else self._gyro.prior(window.t0_ns, window.t1_ns)
            result = self._timed('egomotion', window, self._estimator.update, gyro or self._prior, depth)
            if self._gyro is not None and gyro is not None:
                self._gyro.learn(result, gyro)
        self.counts.evaluations += result.n_evaluations
        self.counts.converged += result.converged
        return result

    def _warped(self, window: EventWindow, egomotion: EgomotionResult) -> WarpedEvents:
        still = image_of_warped_events(window, self.camera, np.zeros(3))
        return WarpedEvents(
            window.t_ref_ns, still, image_of_warped_events(window, self.camera, egomotion.omega)
        )

    def _latest_depth(self, t_ns: int) -> DepthImage | None:
        oldest_ns = t_ns - round(self.config.fusion.max_depth_age_s * 1e9)
        return next((depth for depth in reversed(self._depth) if oldest_ns <= depth.t_ns <= t_ns), None)

    def _wants(self, *stages: str) -> bool:
        return not self.active.isdisjoint(stages)

    def _timed(self, stage: str, subject: Any, function: Callable[..., Result], *arguments: Any) -> Result:
        start_s = perf_counter()
        result = function(subject, *arguments)
        if self._observer is not None:
            self._observer(stage, _newest(subject), perf_counter() - start_s)
        return result


def _gyro_prior(config: PipelineConfig) -> GyroPrior:
    return GyroPrior(_imu_rotation(config), config.fusion.gyro)


def _imu_rotation(config: PipelineConfig) -> NDArray[np.float64]:
    rotation = np.array(config.fusion.R_camera_imu or np.eye(3).ravel(), np.float64)
    if rotation.size != 9:
        raise ConfigError(f'fusion.R_camera_imu has {rotation.size} numbers; a rotation has nine, row by row')
    return rotation.reshape(3, 3)


def _in_camera(sample: ImuSample, R_camera_imu: NDArray[np.float64]) -> ImuSample:
    """The reading along the axes of the camera, as odometry takes it."""
    return replace(
        sample,
        angular_velocity_rad_s=R_camera_imu @ sample.angular_velocity_rad_s,
        linear_acceleration_m_s2=R_camera_imu @ sample.linear_acceleration_m_s2,
    )


def _before(samples: deque[ImuSample], end_ns: int) -> tuple[ImuSample, ...]:
    """Those before an instant: samples come in time order, so only the newest are looked at."""
    late = sum(1 for _ in takewhile(lambda sample: sample.t_ns >= end_ns, reversed(samples)))
    return tuple(islice(samples, len(samples) - late))


def _check_camera(camera: CameraModel, size: tuple[int, int]) -> None:
    if (camera.height, camera.width) != size:
        raise CalibrationError(
            f'the camera model is for {camera.width}x{camera.height}, the events come from a '
            f'{size[1]}x{size[0]} sensor; give the calibration of this camera'
        )


def _instant(output: Output) -> int:
    """The instant that an output describes."""
    return output.t_ref_ns if isinstance(output, (EgomotionResult, FlowField)) else output.t_ns


def _newest(subject: EventWindow | EventArray | SpikeStream) -> int:
    """The instant that a computation is booked under."""
    if isinstance(subject, EventWindow):
        return subject.t_ref_ns
    return subject.next_ns if isinstance(subject, SpikeStream) else int(subject.t_ns[-1])
