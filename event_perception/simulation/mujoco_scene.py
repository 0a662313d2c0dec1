# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Three-dimensional scenes drawn by MuJoCo (Todorov, Erez and Tassa, IROS 2012), with depth, surfaces and motion.

The view is set as a frustum from focal lengths and centre, so any pinhole camera fits. Colours are taken as linear
light: MuJoCo shades without gamma. Values have 8 bits a channel, so surfaces darker than about 10 dn show steps
near the contrast threshold; light them well.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from event_perception.errors import CalibrationError, DataError, PluginError
from event_perception.motion.camera import CameraModel

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)  # ITU-R BT.709, of linear light
DARKEST_DN: Any = np.float32(1)
NOTHING = -1

SetState = Callable[[Any, Any, float], None]


class MujocoScene:
    """A MuJoCo model as a ``Scene``.

    Args:
        model: XML text, path of an XML or MJB file, or an ``MjModel``.
        set_state: Called as ``set_state(model, data, t_s)`` with data at the initial state; puts ``qpos`` and
            ``qvel`` where they are at that time. The model stays at rest when None.
        assets: Files that the XML names, as bytes.
        supersample: Pixels are means of this many by this many.

    Raises:
        PluginError: If mujoco is not installed.
        DataError: If the model cannot be read.
    """

    def __init__(
        self,
        model: Any,
        *,
        set_state: SetState | None = None,
        assets: dict[str, bytes] | None = None,
        supersample: int = 1,
    ) -> None:
        self._mujoco = _mujoco()
        self.model = self._load(model, assets or {})
        self._data = self._mujoco.MjData(self.model)
        self._set_state, self._supersample = set_state, supersample
        self._renderers: dict[tuple[int, int], Any] = {}
        self._t_s: float | None = None

    def render(self, camera: CameraModel, T_world_camera: NDArray, t_s: float) -> NDArray[np.float32]:
        """Log light (H, W), ln of dn; at least that of 1 dn."""
        large = camera if self._supersample == 1 else camera.scaled(self._supersample)
        light = self._draw(large, T_world_camera, t_s) @ LUMINANCE
        if large is not camera:
            light = np.asarray(cv2.resize(light, (camera.width, camera.height), interpolation=cv2.INTER_AREA))
        return np.log(np.maximum(light, DARKEST_DN))

    def depth(self, camera: CameraModel, T_world_camera: NDArray, t_s: float) -> NDArray[np.float32]:
        """Depth along the optical axis (H, W), m; inf where nothing is hit."""
        depth = self._draw(camera, T_world_camera, t_s, 'depth')
        return np.where(self.surface(camera, T_world_camera, t_s) == NOTHING, np.float32(np.inf), depth)

    def surface(self, camera: CameraModel, T_world_camera: NDArray, t_s: float) -> NDArray[np.int32]:
        """Number of the geom that each pixel sees (H, W), -1 for none: segment ids."""
        seen = self._draw(camera, T_world_camera, t_s, 'segmentation')
        geom = int(self._mujoco.mjtObj.mjOBJ_GEOM)
        return np.where(seen[..., 1] == geom, seen[..., 0], NOTHING).astype(np.int32)

    def object_velocity(
        self, camera: CameraModel, T_world_camera: NDArray, t_s: float
    ) -> NDArray[np.float32]:
        """World velocity (H, W, 3), m/s, of the point seen: that of its body, turning included."""
        velocity = np.zeros((camera.height, camera.width, 3), np.float32)
        if self._set_state is None:
            return velocity
        surface = self.surface(camera, T_world_camera, t_s)
        points = self._points(camera, T_world_camera, t_s)
        body = np.where(surface == NOTHING, 0, self.model.geom_bodyid[surface])
        for k in np.unique(body[body > 0]):
            turn, move = self._body_velocity(int(k))
            on_it = body == k
            velocity[on_it] = move + np.cross(turn, points[on_it] - self._data.xpos[k])
        return velocity

    def close(self) -> None:
        """Free the graphics contexts."""
        for renderer in self._renderers.values():
            renderer.close()
        self._renderers.clear()

    def _load(self, model: Any, assets: dict[str, bytes]) -> Any:
        if isinstance(model, self._mujoco.MjModel):
            return model
        kind = self._mujoco.MjModel
        try:
            if isinstance(model, str) and model.lstrip().startswith('<'):
                return kind.from_xml_string(model, assets)
            if Path(model).suffix == '.mjb':
                return kind.from_binary_path(str(model), assets)
            return kind.from_xml_path(str(model), assets)
        except ValueError as error:
            raise DataError(f'MuJoCo cannot read the model: {error}') from error

    def _draw(self, camera: CameraModel, T: NDArray, t_s: float, what: str = 'light') -> NDArray:
        """The colour, depth or segmentation image of a view."""
        if camera.distortion_model != 'none':
            raise CalibrationError(f'MuJoCo draws pinhole views, not {camera.distortion_model}; leave it out')
        self._go_to(t_s)
        renderer = self._renderer(camera)
        renderer.disable_depth_rendering()
        renderer.disable_segmentation_rendering()
        if what != 'light':
            getattr(renderer, f'enable_{what}_rendering')()
        renderer.update_scene(self._data)
        for view in renderer.scene.camera:
            _aim(view, camera, T)
        return renderer.render()

    def _go_to(self, t_s: float) -> None:
        if t_s == self._t_s or (self._set_state is None and self._t_s is not None):
            return
        self._mujoco.mj_resetData(self.model, self._data)
        if self._set_state is not None:
            self._set_state(self.model, self._data, t_s)
        self._mujoco.mj_forward(self.model, self._data)
        self._t_s = t_s

    def _renderer(self, camera: CameraModel) -> Any:
        size = (camera.height, camera.width)
        if size not in self._renderers:
            buffer = self.model.vis.global_
            buffer.offheight, buffer.offwidth = max(buffer.offheight, size[0]), max(buffer.offwidth, size[1])
            try:
                self._renderers[size] = self._mujoco.Renderer(self.model, *size)
            except Exception as error:  # every backend has an error of its own
                raise PluginError(
                    f'MuJoCo finds no OpenGL with MUJOCO_GL={os.environ.get("MUJOCO_GL")}: {error}; install libegl1 '
                    '(or libosmesa6 with MUJOCO_GL=osmesa), and set MUJOCO_GL before mujoco is first imported'
                ) from error
        return self._renderers[size]

    def _points(self, camera: CameraModel, T: NDArray, t_s: float) -> NDArray[np.float64]:
        """World place (H, W, 3) of what each pixel sees."""
        depth = self._draw(camera, T, t_s, 'depth').astype(np.float64)[..., None]
        ray = np.concatenate([camera.bearings(), np.ones((camera.height, camera.width, 1))], axis=-1)
        return (ray * depth) @ T[:3, :3].T + T[:3, 3]

    def _body_velocity(self, body: int) -> tuple[NDArray, NDArray]:
        """Angular velocity, and velocity of the origin, of a body; world axes."""
        both = np.zeros(6)
        kind = self._mujoco.mjtObj.mjOBJ_XBODY
        self._mujoco.mj_objectVelocity(self.model, self._data, kind, body, both, 0)
        return both[:3], both[3:]


def _aim(view: Any, camera: CameraModel, T_world_camera: NDArray) -> None:
    """Pose and frustum of a view; pixel centres are at integers, so the image starts half a pixel before 0."""
    view.pos[:] = T_world_camera[:3, 3]
    view.forward[:], view.up[:] = T_world_camera[:3, 2], -T_world_camera[:3, 1]
    near = view.frustum_near
    left, right = ((x - camera.cx) / camera.fx * near for x in (-0.5, camera.width - 0.5))
    top, bottom = (-(y - camera.cy) / camera.fy * near for y in (-0.5, camera.height - 0.5))
    view.frustum_center, view.frustum_width = 0.5 * (left + right), 0.5 * (right - left)
    view.frustum_top, view.frustum_bottom = top, bottom
    view.orthographic = 0


def _mujoco() -> Any:
    os.environ.setdefault('MUJOCO_GL', 'egl')  # read when mujoco is imported; a window system may be absent
    try:
        import mujoco
    except ImportError as error:
        raise PluginError('MuJoCo scenes need mujoco: pip install "event_perception[sim]"') from error
    return mujoco
