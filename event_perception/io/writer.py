# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Writing rosbag2 recordings from plain values, without ROS."""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from event_perception.errors import DataError
from event_perception.events import EventArray, ImuSample
from event_perception.io import fill_messages as fill
from event_perception.io.bag_types import ARRAY_TYPES, PACKET_TYPES, typestore
from event_perception.io.blank_message import blank_message
from event_perception.io.image_messages import fill_image
from event_perception.motion.camera import CameraModel

VERSION: Literal[8] = 8  # of the metadata; read by ROS 2 from Iron on


class BagWriter:
    """Writes one rosbag2 folder; a context manager, the bag is readable after it is closed.

    Topics appear with their first message. The recording stamp of a message is its header's unless given.

    Args:
        path: A folder that does not exist yet.
        storage: Storage format.

    Raises:
        DataError: If the folder exists: bags are never overwritten.
    """

    def __init__(self, path: Path | str, *, storage: Literal['mcap', 'sqlite3'] = 'mcap') -> None:
        from rosbags.rosbag2 import StoragePlugin, Writer

        if Path(path).exists():
            raise DataError(f'{path} exists; bags are never overwritten: give another name')
        plugins = {'mcap': StoragePlugin.MCAP, 'sqlite3': StoragePlugin.SQLITE3}
        self._writer = Writer(Path(path), version=VERSION, storage_plugin=plugins[storage])
        self._writer.open()
        self._connections: dict[str, Any] = {}
        self._packets: Counter[str] = Counter()
        self._latest_ns: dict[str, int] = {}

    def __enter__(self) -> 'BagWriter':
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Finish the bag."""
        self._writer.close()

    def write(self, topic: str, type_name: str, filled: Callable[[Any], None], *, t_ns: int) -> None:
        """Write a message of any known type.

        Args:
            topic: Name of the topic.
            type_name: Such as 'sensor_msgs/msg/Imu'.
            filled: Called with an empty message to fill.
            t_ns: Recording stamp.

        Raises:
            DataError: If the type is unknown, or the topic has another one.
        """
        message = blank_message(type_name)
        filled(message)
        self.write_serialized(topic, type_name, typestore().serialize_cdr(message, type_name), t_ns=t_ns)

    def write_serialized(self, topic: str, type_name: str, data: bytes, *, t_ns: int) -> None:
        """Write the CDR bytes of a message.

        Raises:
            DataError: If the topic has another type.
        """
        connection = self._connections.get(topic)
        if connection is None:
            connection = self._writer.add_connection(topic, type_name, typestore=typestore())
            self._connections[topic] = connection
        if connection.msgtype != type_name:
            raise DataError(f'{topic} holds {connection.msgtype}, not {type_name}')
        self._writer.write(connection, int(t_ns), data)

    def write_event_packet(
        self,
        topic: str,
        payload: bytes | NDArray[np.uint8],
        encoding: str,
        *,
        height: int,
        width: int,
        stamp_ns: int,
        time_base_ns: int = 0,
        frame_id: str = '',
        seq: int | None = None,
        t_ns: int | None = None,
    ) -> None:
        """Write encoded events or spike planes; packets of a topic are numbered from 0 unless ``seq`` says so."""
        number = self._packets[topic] if seq is None else seq
        self._packets[topic] = number + 1

        def filled(message: Any) -> None:
            fill.fill_event_packet(
                message,
                payload,
                encoding,
                height=height,
                width=width,
                seq=number,
                stamp_ns=stamp_ns,
                time_base_ns=time_base_ns,
                frame_id=frame_id,
            )

        self.write(topic, PACKET_TYPES[0], filled, t_ns=stamp_ns if t_ns is None else t_ns)

    def write_events(
        self,
        topic: str,
        events: EventArray,
        encoding: str = 'libcaer_cmp',
        *,
        stamp_ns: int | None = None,
        frame_id: str = '',
        t_ns: int | None = None,
    ) -> None:
        """Encode events and write them as ``event_camera_msgs/EventPacket``.

        Args:
            topic: Name of the topic.
            events: At least one event; the packets of a topic in time order.
            encoding: 'evt3', 'libcaer_cmp', 'libcaer' or 'mono'.
            stamp_ns: Stamp of the header; None for the time of the first event.
            frame_id: Optical frame.
            t_ns: Recording stamp; None for the stamp of the header.

        Raises:
            DataError: If there is no event, no such encoder, or the events do not fit the encoding.
        """
        if not len(events):
            raise DataError(f'{topic}: no events to write')
        payload, time_base_ns = self._encode(topic, events, encoding)
        self.write_event_packet(
            topic,
            payload,
            encoding,
            height=events.height,
            width=events.width,
            stamp_ns=_or(stamp_ns, int(events.t_ns[0])),
            time_base_ns=time_base_ns,
            frame_id=frame_id,
            t_ns=t_ns,
        )

    def _encode(self, topic: str, events: EventArray, encoding: str) -> tuple[bytes, int]:
        from event_perception.io.codecs import encoders

        if encoding == 'evt3':
            payload = encoders.encode_evt3(events, previous_t_ns=self._latest_ns.get(topic))
            self._latest_ns[topic] = int(events.t_ns[-1])
            return payload, 0
        known = {
            'libcaer_cmp': encoders.encode_libcaer_cmp,
            'libcaer': encoders.encode_libcaer,
            'mono': encoders.encode_mono,
        }
        if encoding not in known:
            raise DataError(f'encoding {encoding!r}: choose one of {["evt3", *known]}')
        return known[encoding](events)

    def write_event_array(
        self, topic: str, events: EventArray, *, stamp_ns: int, frame_id: str = '', t_ns: int | None = None
    ) -> None:
        """Write events as ``dvs_msgs/EventArray``."""
        from event_perception.io.codecs.dvs_event_array import encode_event_array_cdr

        data = encode_event_array_cdr(events, stamp_ns=stamp_ns, frame_id=frame_id)
        self.write_serialized(topic, ARRAY_TYPES[0], data, t_ns=stamp_ns if t_ns is None else t_ns)

    def write_imu(self, topic: str, sample: ImuSample, *, t_ns: int | None = None) -> None:
        """Write an IMU sample as ``sensor_msgs/Imu``."""
        self.write(
            topic, 'sensor_msgs/msg/Imu', lambda m: fill.fill_imu(m, sample), t_ns=_or(t_ns, sample.t_ns)
        )

    def write_image(
        self, topic: str, pixels: NDArray[Any], encoding: str, *, stamp_ns: int, frame_id: str = ''
    ) -> None:
        """Write an array as ``sensor_msgs/Image``."""
        self.write(
            topic,
            'sensor_msgs/msg/Image',
            lambda m: fill_image(m, pixels, encoding, t_ns=stamp_ns, frame_id=frame_id),
            t_ns=stamp_ns,
        )

    def write_camera_info(self, topic: str, camera: CameraModel, *, stamp_ns: int) -> None:
        """Write a camera model as ``sensor_msgs/CameraInfo``."""
        self.write(
            topic,
            'sensor_msgs/msg/CameraInfo',
            lambda m: fill.fill_camera_info(m, camera, t_ns=stamp_ns),
            t_ns=stamp_ns,
        )

    def write_pose(self, topic: str, T_frame_body: ArrayLike, *, stamp_ns: int, frame_id: str) -> None:
        """Write a pose (4, 4) as ``geometry_msgs/PoseStamped``."""

        def filled(message: Any) -> None:
            fill.fill_header(message.header, stamp_ns, frame_id)
            fill.fill_pose(message.pose, T_frame_body)

        self.write(topic, 'geometry_msgs/msg/PoseStamped', filled, t_ns=stamp_ns)

    def write_odometry(self, topic: str, T_odom_body: ArrayLike, *, stamp_ns: int, **values: Any) -> None:
        """Write pose and velocity as ``nav_msgs/Odometry``; the rest as ``fill_odometry``."""
        self.write(
            topic,
            'nav_msgs/msg/Odometry',
            lambda m: fill.fill_odometry(m, T_odom_body, t_ns=stamp_ns, **values),
            t_ns=stamp_ns,
        )

    def write_twist(self, topic: str, *, stamp_ns: int, **values: Any) -> None:
        """Write a velocity as ``geometry_msgs/TwistWithCovarianceStamped``; values as ``fill_twist``."""
        self.write(
            topic,
            'geometry_msgs/msg/TwistWithCovarianceStamped',
            lambda m: fill.fill_twist(m, t_ns=stamp_ns, **values),
            t_ns=stamp_ns,
        )

    def write_transforms(
        self, topic: str, transforms: Iterable[tuple[str, str, ArrayLike]], *, stamp_ns: int
    ) -> None:
        """Write (frame, child frame, T_frame_child (4, 4)) as ``tf2_msgs/TFMessage``."""

        def filled(message: Any) -> None:
            for frame_id, child_frame_id, T in transforms:
                part = blank_message('geometry_msgs/msg/TransformStamped')
                fill.fill_transform(part, T, t_ns=stamp_ns, frame_id=frame_id, child_frame_id=child_frame_id)
                message.transforms.append(part)

        self.write(topic, 'tf2_msgs/msg/TFMessage', filled, t_ns=stamp_ns)


def _or(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value
