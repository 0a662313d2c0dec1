# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A simulated recording as a rosbag2: what a robot would record, and the truth on topics of its own."""

import heapq
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from event_perception.io.writer import BagWriter
from event_perception.simulation.export import ExportConfig, grey_image, instants, packets
from event_perception.simulation.sequence import SimulatedSequence

FRAME_ID, WORLD = 'camera_optical_frame', 'world'
TOPICS = {
    'events': '/events',
    'camera_info': '/camera_info',
    'imu': '/imu',
    'image': '/image',
    'depth': '/depth',
    'pose': '/ground_truth/pose',
    'twist': '/ground_truth/twist',
    'flow': '/ground_truth/flow',
}

Task = tuple[int, int, Callable[[], None]]


def write_bag(
    sequence: SimulatedSequence,
    path: Path,
    config: ExportConfig | None = None,
    *,
    encoding: str = 'evt3',
) -> int:
    """Write one bag (mcap), messages in the order of their stamps.

    Topics: ``/events`` (EventPacket), ``/camera_info``, ``/imu``, ``/image`` (mono8, linear light), ``/depth``
    (32FC1, m), ``/ground_truth/pose`` (T_world_camera), ``/ground_truth/twist`` (camera frame) and
    ``/ground_truth/flow`` (32FC2, px/s).

    Args:
        sequence: What to write.
        path: A folder that does not exist yet.
        config: Which streams, how often.
        encoding: Of the events; 'evt3' keeps microseconds.

    Returns:
        Number of events.

    Raises:
        DataError: If the folder exists.
    """
    config = config or ExportConfig()
    frame_id = sequence.camera.frame_id or FRAME_ID
    n_events = 0
    with BagWriter(path) as bag:
        others = heapq.merge(*_streams(bag, sequence, config, frame_id), key=lambda task: task[:2])
        pending = next(others, None)
        for chunk in sequence.chunks():
            for part in packets(chunk, config.packet_s):
                while pending is not None and pending[0] <= part.t_ns[0]:
                    pending[2]()
                    pending = next(others, None)
                bag.write_events(TOPICS['events'], part, encoding, frame_id=frame_id)
                n_events += len(part)
        while pending is not None:
            pending[2]()
            pending = next(others, None)
    return n_events


def _streams(
    bag: BagWriter, sequence: SimulatedSequence, config: ExportConfig, frame_id: str
) -> list[Iterator[Task]]:
    """Everything but events: (stamp, number of the stream, what to do then)."""
    nothing = np.zeros((6, 6))

    def camera_info(t: int) -> None:
        bag.write_camera_info(TOPICS['camera_info'], sequence.camera, stamp_ns=t)

    def image(t: int) -> None:
        bag.write_image(TOPICS['image'], grey_image(sequence, t), 'mono8', stamp_ns=t, frame_id=frame_id)

    def depth(t: int) -> None:
        pixels = sequence.depth(t).depth_m
        bag.write_image(TOPICS['depth'], pixels, '32FC1', stamp_ns=t, frame_id=frame_id)

    def flow(t: int) -> None:
        pixels = np.ascontiguousarray(np.moveaxis(sequence.flow(t).flow_px_s, 0, -1))
        bag.write_image(TOPICS['flow'], pixels, '32FC2', stamp_ns=t, frame_id=frame_id)

    def pose(t: int) -> None:
        bag.write_pose(TOPICS['pose'], sequence.pose(t)[0], stamp_ns=t, frame_id=WORLD)

    def twist(t: int) -> None:
        bag.write_twist(
            TOPICS['twist'],
            stamp_ns=t,
            v_m_s=sequence.v(t)[0],
            omega_rad_s=sequence.omega(t)[0],
            covariance=nothing,
            frame_id=frame_id,
        )

    rates = (
        (camera_info, max(config.image_rate_hz, 1.0)),
        (image, config.image_rate_hz),
        (depth, config.depth_rate_hz),
        (flow, config.flow_rate_hz),
        (pose, config.pose_rate_hz),
        (twist, config.pose_rate_hz),
    )
    timed = [_tasks(number, sequence, rate, write) for number, (write, rate) in enumerate(rates)]
    return [*timed, _imu(len(timed), bag, sequence, config, frame_id)]


def _tasks(
    number: int, sequence: SimulatedSequence, rate_hz: float, write: Callable[[int], None]
) -> Iterator[Task]:
    for t in instants(sequence, rate_hz):
        yield int(t), number, lambda t=int(t): write(t)  # type: ignore[misc]


def _imu(
    number: int, bag: BagWriter, sequence: SimulatedSequence, config: ExportConfig, frame_id: str
) -> Iterator[Task]:
    for sample in sequence.imu(config.imu).samples(frame_id):
        yield sample.t_ns, number, lambda sample=sample: bag.write_imu(TOPICS['imu'], sample)  # type: ignore[misc]
