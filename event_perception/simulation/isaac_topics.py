# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What Isaac Sim's ROS 2 bridge publishes, by name: the tables that stand-in, launch file and tests share.

`tutorial` is what the camera and odometry tutorials of Isaac Sim 5 and 6 make; `nova_carter` is the robot of the
Isaac ROS examples. Images are rgb8 and depth 32FC1 in metres, with a queue of 10, reliable and volatile.
"""

from dataclasses import dataclass

RGB_ENCODING, DEPTH_ENCODING = 'rgb8', '32FC1'
QUEUE_SIZE = 10  # reliable, volatile


@dataclass(frozen=True)
class CameraTopics:
    """Topics of one camera, relative names, and the frame in its headers."""

    image: str
    depth: str
    camera_info: str
    frame_id: str


@dataclass(frozen=True)
class IsaacTopics:
    """Topics of a robot with a camera, or with a pair of which the right one may be missing."""

    left: CameraTopics
    right: CameraTopics
    odometry: str
    odom_frame: str = 'odom'
    base_frame: str = 'base_link'


LAYOUTS = {
    'tutorial': IsaacTopics(
        left=CameraTopics('rgb', 'depth', 'camera_info', 'sim_camera'),
        right=CameraTopics('rgb_right', 'depth_right', 'camera_info_right', 'sim_camera_right'),
        odometry='odom',
    ),
    'nova_carter': IsaacTopics(
        left=CameraTopics(
            'front_stereo_camera/left/image_raw',
            'front_stereo_camera/left/depth',
            'front_stereo_camera/left/camera_info',
            'front_stereo_camera_left_optical',
        ),
        right=CameraTopics(
            'front_stereo_camera/right/image_raw',
            'front_stereo_camera/right/depth',
            'front_stereo_camera/right/camera_info',
            'front_stereo_camera_right_optical',
        ),
        odometry='chassis/odom',
    ),
}
"""By name. Depth of Nova Carter is off in the shipped scene; these are the names to give it."""
