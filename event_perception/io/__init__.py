# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Bytes, messages, bags and files to arrays, and back. Names are loaded on first use."""

from event_perception.lazy import lazily

_PUBLIC = {
    'BagWriter': 'writer',
    'EgomotionCsvWriter': 'egomotion_csv',
    'EventPacketStream': 'event_packets',
    'PoseSample': 'trajectory',
    'Recording': 'recording',
    'RecordingConfig': 'recording',
    'RecordingInfo': 'recording_info',
    'SpikePacketStream': 'event_packets',
    'StreamInfo': 'recording_info',
    'Trajectory': 'trajectory',
    'TumWriter': 'trajectory',
    'camera_from_message': 'messages',
    'decode_event_packet': 'decode',
    'depth_from_message': 'image_messages',
    'fill_camera_info': 'fill_messages',
    'fill_event_packet': 'fill_messages',
    'fill_image': 'image_messages',
    'fill_imu': 'fill_messages',
    'fill_odometry': 'fill_messages',
    'fill_pose': 'fill_messages',
    'fill_transform': 'fill_messages',
    'fill_twist': 'fill_messages',
    'frame_from_message': 'image_messages',
    'image_to_array': 'image_messages',
    'imu_from_message': 'messages',
    'open_recording': 'recognise',
    'pose_from_message': 'messages',
    'read_camera': 'camera_file',
    'read_egomotion': 'egomotion_csv',
    'read_trajectory': 'trajectory',
    'twist_from_message': 'messages',
    'write_trajectory': 'trajectory',
}

__all__ = list(_PUBLIC)
__getattr__, __dir__ = lazily(__name__, _PUBLIC)
