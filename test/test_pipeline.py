# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of the pipeline, on the bundled recording."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from event_perception.config import build, update
from event_perception.errors import CalibrationError, ConfigError, DataError
from event_perception.events import EventArray, FrameImage, SpikeStream, WindowConfig, concatenate
from event_perception.flow.field import FlowField
from event_perception.images.frame import ReconstructedImage
from event_perception.io import open_recording, read_camera
from event_perception.motion import EgomotionResult
from event_perception.odometry.estimate import OdometryEstimate
from event_perception.pipeline import Pipeline, PipelineConfig, WarpedEvents
from event_perception.simulation.imu import ImuConfig
from event_perception.simulation.rotations import rotation_sequence


@pytest.fixture(scope='module')
def events(recordings):
    """The middle 0.2 s, in which the camera moves."""
    samples = open_recording(recordings / 'apriltags').samples(start_s=0.6, duration_s=0.2)
    return concatenate([s for s in samples if isinstance(s, EventArray)])


@pytest.fixture(scope='module')
def camera(repository):
    return read_camera(repository / 'config' / 'davis346.yaml')


def run(pipeline, events, chunk):
    outputs = []
    for start in range(0, len(events), chunk):
        outputs += pipeline.push(events[start : start + chunk])
    return outputs + pipeline.finish()


def kinds(outputs, kind):
    return [output for output in outputs if isinstance(output, kind)]


def test_all_stages_give_results_stamped_with_the_instant_they_describe(events, camera):
    outputs = run(Pipeline(camera=camera), events, 5000)
    windows = kinds(outputs, EgomotionResult)
    assert len(windows) in (10, 11)
    assert [w.t_ref_ns % 20_000_000 for w in windows] == [10_000_000] * len(windows)
    stamps = [w.t_ref_ns for w in windows]
    assert [f.t_ref_ns for f in kinds(outputs, FlowField)] == stamps
    assert [o.t_ns for o in kinds(outputs, OdometryEstimate)] == stamps
    assert all(image.t_ns % 20_000_000 == 0 for image in kinds(outputs, ReconstructedImage))
    assert np.mean([w.converged for w in windows]) > 0.7


def test_results_do_not_depend_on_how_the_stream_is_cut(events, camera):
    coarse, fine = (run(Pipeline(camera=camera), events, chunk) for chunk in (10**9, 1777))
    for kind, value in ((EgomotionResult, 'omega'), (ReconstructedImage, 'value'), (FlowField, 'flow_px_s')):
        for a, b in zip(kinds(coarse, kind), kinds(fine, kind), strict=True):
            np.testing.assert_array_equal(getattr(a, value), getattr(b, value))


def test_flow_can_be_rarer_than_windows(events, camera):
    config = build(PipelineConfig, {'flow.period_s': 0.1})
    outputs = run(Pipeline(config, camera), events, 5000)
    stamps = [w.t_ref_ns for w in kinds(outputs, EgomotionResult)]
    first = [t for t, before in zip(stamps, [0, *stamps]) if t // 100_000_000 != before // 100_000_000]
    assert [f.t_ref_ns for f in kinds(outputs, FlowField)] == first and len(first) in (2, 3)


def test_without_a_camera_images_still_come_and_windows_are_counted(events):
    pipeline = Pipeline()
    outputs = run(pipeline, events, 5000)
    assert {type(output) for output in outputs} == {ReconstructedImage}
    assert pipeline.counts.windows == pipeline.counts.windows_without_camera > 5


def test_a_camera_may_come_later(events, camera):
    pipeline = Pipeline()
    half = len(events) // 2
    run(pipeline, events[:half], 5000)
    pipeline.push(camera)
    assert kinds(run(pipeline, events[half:], 5000), EgomotionResult)


def test_only_what_is_active_is_computed(events, camera):
    pipeline = Pipeline(PipelineConfig(window=WindowConfig(duration_s=0.05)), camera)
    pipeline.active = {'egomotion', 'warped'}
    outputs = run(pipeline, events, 5000)
    assert {type(output) for output in outputs} == {EgomotionResult, WarpedEvents}
    sharpest = max(kinds(outputs, WarpedEvents), key=lambda w: w.warped.var() / w.unwarped.var())
    assert sharpest.warped.var() > 1.05 * sharpest.unwarped.var()


def test_a_calibration_of_another_size_is_refused(events, camera):
    other = replace(camera, height=240)
    with pytest.raises(CalibrationError, match='346x240'):
        Pipeline(camera=other).push(events)


def test_another_sensor_in_the_same_stream_is_refused(events, camera):
    pipeline = Pipeline(camera=camera)
    pipeline.push(events[:1000])
    with pytest.raises(DataError, match='sensor'):
        pipeline.push(EventArray([int(events.t_ns[1000])], [0], [0], [1], height=100, width=100))


def test_a_stream_that_starts_again_is_followed(events, camera):
    config = PipelineConfig(window=WindowConfig(max_disorder_s=0.05))
    pipeline = Pipeline(config, camera)
    first = run(pipeline, events, 5000)
    again = run(pipeline, events, 5000)
    assert pipeline.counts.resets == 1
    assert len(kinds(again, ReconstructedImage)) == len(kinds(first, ReconstructedImage))
    np.testing.assert_array_equal(
        kinds(again, EgomotionResult)[0].omega, kinds(first, EgomotionResult)[0].omega
    )


def test_live_parameters_act_on_the_next_image(events):
    pipeline = Pipeline(build(PipelineConfig, {'stages': ['images']}))
    before = pipeline.push(events[: len(events) // 2])
    pipeline.reconfigure(update(pipeline.config, {'images.period_s': 0.01}))
    after = pipeline.push(events[len(events) // 2 :])
    assert {b.t_ns - a.t_ns for a, b in pairwise(before)} == {20_000_000}
    assert {b.t_ns - a.t_ns for a, b in pairwise(after)} == {10_000_000}


def test_stages_that_do_not_exist_are_refused():
    with pytest.raises(ConfigError, match='choose at least one of'):
        build(PipelineConfig, {'stages': ['egomotion', 'slam']})


def test_samples_of_an_unknown_kind_are_refused():
    with pytest.raises(DataError, match='str'):
        Pipeline().push('events')


def test_frames_reach_a_method_that_uses_them(events):
    config = build(PipelineConfig, {'stages': ['images'], 'images.method': 'complementary'})
    pipeline = Pipeline(config)
    pipeline.push(events[:100])
    bright = np.full((events.height, events.width), 0.8, np.float32)
    pipeline.push(FrameImage(int(events.t_ns[100]), bright))
    image = kinds(run(pipeline, events[101:], 5000), ReconstructedImage)[-1]
    assert image.value.mean() > 0.5


@pytest.fixture(scope='module')
def turning():
    """A simulated turn of 0.3 s with an IMU, its samples between the events, and the truth."""
    sequence = rotation_sequence(seed=4, duration_s=0.3, omega_rms_rad_s=1.5)
    samples = [*sequence.chunks(), *sequence.imu(ImuConfig()).samples('imu')]
    return sequence, sorted(samples, key=lambda s: int(s.t_ns[-1]) if isinstance(s, EventArray) else s.t_ns)


def rate_error(sequence, samples, flat):
    pipeline = Pipeline(build(PipelineConfig, flat | {'stages': ['egomotion']}), sequence.camera)
    results = [r for sample in samples for r in pipeline.push(sample)]
    truth = sequence.omega(np.array([r.t_ref_ns for r in results]))
    return float(np.sqrt(np.mean((np.array([r.omega for r in results]) - truth) ** 2)))


def test_a_gyro_makes_egomotion_better(turning):
    sequence, samples = turning
    alone, aided = (rate_error(sequence, samples, {'fusion.use_gyro': use}) for use in (False, True))
    assert aided < 0.9 * alone


def test_a_rotation_of_the_imu_that_is_none_is_refused():
    flat = {'fusion.use_gyro': True, 'fusion.R_camera_imu': [1.0, 0.0, 0.0]}
    with pytest.raises(ConfigError, match='nine'):
        Pipeline(build(PipelineConfig, flat))
    flat['fusion.R_camera_imu'] = [2.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0]
    with pytest.raises(CalibrationError, match='rotation matrix'):
        Pipeline(build(PipelineConfig, flat))


def test_spikes_become_images_at_the_multiples_of_the_period():
    rng = np.random.default_rng(1)
    planes = (rng.random((1500, 12, 16)) < 0.3).astype(np.uint8)
    spikes = SpikeStream(planes, height=12, width=16, plane_period_ns=50_000, start_ns=3_000_000)
    pipeline = Pipeline(build(PipelineConfig, {'stages': ['images']}))
    outputs = [image for start in range(0, 1500, 200) for image in pipeline.push(spikes[start : start + 200])]
    outputs += pipeline.finish()
    assert [image.t_ns for image in outputs] == [20_000_000, 40_000_000, 60_000_000]
    assert all(abs(image.value.mean() - 0.3) < 0.02 for image in outputs)
    assert pipeline.counts.planes == 1500


def spikes_of(first, n, **changes):
    bits = np.random.default_rng(first).random((n, 12, 16)) < 0.3
    at = {'plane_period_ns': 50_000, 'start_ns': first * 50_000, 'first_plane_index': first} | changes
    return SpikeStream(bits, height=12, width=16, **at)


def spike_pipeline(**changes):
    settings = {'stages': ('images',), 'images.period_s': 0.01, 'images.spike_method': 'tfp'} | changes
    return Pipeline(build(PipelineConfig, settings))


def test_before_missing_planes_images_are_made_of_what_there_is_and_none_among_them():
    pipeline = spike_pipeline()
    outputs = pipeline.push(spikes_of(0, 405)) + pipeline.push(spikes_of(1005, 500)) + pipeline.finish()
    assert [image.t_ns // 1_000_000 for image in outputs] == [0, 10, 20, 60, 70]


def test_a_stream_of_spikes_that_starts_again_is_followed():
    pipeline = spike_pipeline()
    outputs = pipeline.push(spikes_of(4000, 300)) + pipeline.push(spikes_of(0, 300)) + pipeline.finish()
    assert [image.t_ns // 1_000_000 for image in outputs] == [200, 210, 0, 10]


def test_planes_of_another_size_are_refused_and_the_stream_goes_on():
    pipeline = spike_pipeline()
    pipeline.push(spikes_of(0, 300))
    with pytest.raises(DataError, match='planes of a'):
        pipeline.push(SpikeStream(np.zeros((3, 8, 8), bool), height=8, width=8, plane_period_ns=50_000))
    assert [image.t_ns // 1_000_000 for image in pipeline.push(spikes_of(300, 300))] == [20]


def test_the_scale_of_images_can_be_the_gain_that_the_stream_tells():
    gain = {'images.tfp.output.full_scale_rate': 0.0}
    bright = spike_pipeline(**gain).push(spikes_of(0, 100, gain=0.5))[0].value
    plain = spike_pipeline().push(spikes_of(0, 100))[0].value
    np.testing.assert_allclose(bright, np.minimum(plain / 0.5, 1), rtol=1e-6)
    with pytest.raises(DataError, match='does not tell'):
        spike_pipeline(**gain).push(spikes_of(0, 100))


def test_the_period_of_images_from_spikes_is_live():
    pipeline = spike_pipeline()
    pipeline.push(spikes_of(0, 300))
    pipeline.reconfigure(update(pipeline.config, {'images.period_s': 0.005}))
    assert [image.t_ns // 1_000_000 for image in pipeline.push(spikes_of(300, 300))] == [20, 25]


def test_images_of_spikes_that_are_due_while_not_wanted_are_counted():
    pipeline = spike_pipeline()
    pipeline.active.discard('images')
    assert pipeline.push(spikes_of(0, 500)) == []
    assert pipeline.counts.images_unread == 3  # at 0, 10 and 20 ms
    pipeline.active.add('images')
    assert [image.t_ns // 1_000_000 for image in pipeline.push(spikes_of(500, 300))] == [30]


@pytest.mark.parametrize('method', ['tfi', 'tfi_adaptive', 'tfi_k', 'tfp', 'stp', 'tvs', 'ati'])
def test_the_scale_of_images_from_spikes_is_live_for_every_method(method):
    pipeline = spike_pipeline(**{'images.spike_method': method})
    first = pipeline.push(spikes_of(0, 500))[-1]
    scale = {f'images.{method}.output.full_scale_rate': 0.5}
    pipeline.reconfigure(update(pipeline.config, scale))
    later = pipeline.push(spikes_of(500, 300))[-1]
    assert later.value.mean() == pytest.approx(min(2 * first.value.mean(), 1), rel=0.25)
