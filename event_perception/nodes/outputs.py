# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Values out as messages, stamped with the ROS time of the instant that they describe.

What costs something is made only while somebody listens. An estimate that did not converge is not published.
"""

from collections.abc import Callable, Sequence
from math import inf
from time import monotonic
from typing import Any

import numpy as np
from geometry_msgs.msg import TwistWithCovarianceStamped
from numpy.typing import NDArray
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image

from event_perception.errors import DataError
from event_perception.evaluation.pictures import flow_picture
from event_perception.flow.field import FlowField
from event_perception.images.frame import ReconstructedImage
from event_perception.io.fill_messages import fill_camera_info, fill_twist
from event_perception.io.image_messages import fill_image
from event_perception.motion import CameraModel, EgomotionResult
from event_perception.nodes.config import NodeConfig
from event_perception.nodes.odometry_outputs import OdometryOutputs
from event_perception.nodes.publishing import Outlet
from event_perception.nodes.statistics import Statistics
from event_perception.nodes.transforms import TransformListener
from event_perception.odometry.estimate import MapImage, OdometryEstimate
from event_perception.pipeline import Output, WarpedEvents

FULL_SCALE = {'mono8': (np.uint8, 255.0), 'mono16': (np.uint16, 65535.0), '32FC1': (np.float32, 1.0)}


class Outputs:
    """Everything that a perception node publishes; called by the worker only.

    Args:
        node: Who publishes.
        config: Parameters of the node.
        stages: Stages whose topics exist.
        to_ros_ns: Sensor time to ROS time.
        camera_frame: Tells the optical frame of now.
        camera: Tells the camera model of now.
        transforms: Tells where the camera is mounted.
        statistics: Where what was published and what was held back is counted.

    Attributes:
        config: Parameters; may be replaced while running.
    """

    def __init__(
        self,
        node: Node,
        config: NodeConfig,
        stages: Sequence[str],
        *,
        to_ros_ns: Callable[[int], int],
        camera_frame: Callable[[], str],
        camera: Callable[[], CameraModel | None],
        transforms: TransformListener,
        statistics: Statistics,
    ) -> None:
        self.config = config
        self._stages = frozenset(stages)
        self._to_ros_ns, self._camera_frame, self._camera = to_ros_ns, camera_frame, camera
        self._statistics = statistics
        self._drawn_s: dict[str, float] = {}
        self._outlets: list[Outlet] = []

        def outlet(kind: Any, topic: str) -> Outlet:
            self._outlets.append(Outlet(node, kind, topic, statistics))
            return self._outlets[-1]

        if 'egomotion' in stages:
            self._twist = outlet(TwistWithCovarianceStamped, '~/twist')
            self._warped = outlet(Image, '~/iwe')
        if 'flow' in stages:
            self._flow, self._flow_image = outlet(Image, '~/flow'), outlet(Image, '~/flow_image')
            self._confidence = outlet(Image, '~/confidence')
        if 'images' in stages:
            self._image, self._camera_info = outlet(Image, '~/image'), outlet(CameraInfo, '~/camera_info')
        if 'odometry' in stages:
            self._odometry = OdometryOutputs(node, config, transforms, statistics)
            self._outlets += self._odometry.outlets

    def flush(self, timeout_s: float) -> None:
        """Wait for reliable subscribers to have everything, in all no longer than this."""
        end_s = monotonic() + timeout_s
        for outlet in self._outlets:
            outlet.flush(max(0.0, end_s - monotonic()))

    def watch(self) -> None:
        """Tell what has stopped; to be called now and then."""
        if 'odometry' in self._stages:
            self._odometry.watch()

    def wanted(self) -> set[str]:
        """Stages to compute now. Odometry adds up what it sees, so it never rests; egomotion feeds it."""
        wanted = set(self._stages)
        if 'egomotion' in wanted and self._warped.watched and self._is_due('iwe'):
            wanted.add('warped')
        if 'odometry' in wanted and self._odometry.map_wanted():
            wanted.add('map')
        if 'flow' in wanted and not any(
            outlet.watched for outlet in (self._flow, self._flow_image, self._confidence)
        ):
            wanted.discard('flow')
        if 'images' in wanted and not self._image.watched:
            wanted.discard('images')
        return wanted

    def publish(self, output: Output) -> None:
        """Send one result of the pipeline.

        Raises:
            DataError: If its kind is not known here.
        """
        if isinstance(output, EgomotionResult):
            self._send_twist(output)
        elif isinstance(output, FlowField):
            self._send_flow(output)
        elif isinstance(output, ReconstructedImage):
            self._send_image(output)
        elif isinstance(output, OdometryEstimate):
            self._odometry.send(output, t_ns=self._to_ros_ns(output.t_ns), camera_frame=self._camera_frame())
        elif isinstance(output, MapImage):
            self._odometry.send_map(output, t_ns=self._to_ros_ns(output.t_ns))
        elif isinstance(output, WarpedEvents):
            self._send_warped(output)
        else:
            raise DataError(f'no topic for a {type(output).__name__}')

    def _send_twist(self, result: EgomotionResult) -> None:
        self._statistics.count('windows estimated')
        if not result.converged:
            self._statistics.count('windows not converged')
            return
        covariance = observed_covariance(result.covariance, self.config.output.unobserved_variance)
        stamp = self._stamp(result.t_ref_ns)
        self._twist.send(lambda m: fill_twist(m, np.nan_to_num(result.v), result.omega, covariance, **stamp))

    def _send_flow(self, field: FlowField) -> None:
        stamp = self._stamp(field.t_ref_ns)
        self._flow.send(lambda m: fill_image(m, flow_pixels(field), '32FC2', **stamp))
        confidence = field.confidence
        if confidence is not None:
            self._confidence.send(lambda m: fill_image(m, confidence, '32FC1', **stamp))
        if self._flow_image.watched and self._is_due('flow_image'):
            self._drawn_s['flow_image'] = monotonic()
            picture = flow_picture(field, max_px_s=self.config.output.flow_full_scale_px_s)
            self._flow_image.send(lambda m: fill_image(m, picture, 'bgr8', **stamp))

    def _send_image(self, image: ReconstructedImage) -> None:
        stamp, encoding = self._stamp(image.t_ns), self.config.output.image_encoding
        self._image.send(lambda m: fill_image(m, quantised(image.value, encoding), encoding, **stamp))
        camera = self._camera()
        if camera is not None:
            self._camera_info.send(lambda m: fill_camera_info(m, camera, **stamp))

    def _send_warped(self, warped: WarpedEvents) -> None:
        self._drawn_s['iwe'] = monotonic()
        brightest = max(float(warped.warped.max()), 1.0)
        pixels = quantised(warped.warped / np.float32(brightest), 'mono8')
        self._warped.send(lambda m: fill_image(m, pixels, 'mono8', **self._stamp(warped.t_ns)))

    def _is_due(self, picture: str) -> bool:
        """Whether the next picture for people may be drawn: by the wall, that is what people look at."""
        return monotonic() - self._drawn_s.get(picture, -inf) >= self.config.output.picture_period_s

    def _stamp(self, t_ns: int) -> dict:
        return {'t_ns': self._to_ros_ns(t_ns), 'frame_id': self._camera_frame()}


def observed_covariance(covariance: NDArray[np.float64], unobserved_variance: float) -> NDArray[np.float64]:
    """A covariance (6, 6) that filters accept: what is not estimated (nan) gets a large variance, uncorrelated."""
    unknown = ~np.isfinite(np.diag(covariance))
    finite = np.where(np.isfinite(covariance), covariance, 0.0)
    finite[unknown, :] = finite[:, unknown] = 0.0
    finite[unknown, unknown] = unobserved_variance
    return finite


def flow_pixels(field: FlowField) -> NDArray[np.float32]:
    """Flow as an image (H, W, 2), px/s; nan where it is not valid, as depth images have it."""
    pixels = np.moveaxis(field.flow_px_s, 0, -1).astype(np.float32)
    pixels[~field.valid] = np.nan
    return pixels


def quantised(value: NDArray[np.float32], encoding: str) -> NDArray:
    """Intensity in [0, 1] in the numbers of an encoding; what lies outside is cut off."""
    dtype, full_scale = FULL_SCALE[encoding]
    if dtype is np.float32:
        return value.astype(np.float32)
    return (np.clip(value, 0, 1) * full_scale + 0.5).astype(dtype)
