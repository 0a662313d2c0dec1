# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Running the pipeline over a recording: the same pipeline as in the nodes, without ROS."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import yaml

from event_perception.config import build, flat_to_nested, flatten, markdown, nested_to_flat, parameters, parse
from event_perception.errors import CalibrationError, ConfigError, DataError
from event_perception.events import EventArray
from event_perception.io import Recording, open_recording, read_camera
from event_perception.motion import CameraModel
from event_perception.pipeline import Pipeline
from event_perception.pipeline_config import PipelineConfig
from event_perception.runs.folder import RunFolder, finite
from event_perception.runs.report import write_report
from event_perception.runs.stopwatch import Stopwatch
from event_perception.runs.summary import Tally, summarise

WARPED_EVERY = 25  # windows between two stored images of warped events: pictures for the report, not data

logger = logging.getLogger('event_perception')


def describe(path: Path, *, events_topic: str | None = None) -> dict[str, Any]:
    """What a recording holds, as a plain tree."""
    return finite(open_recording(path, events_topic=events_topic).describe())


def load_config(file: Path | None, assignments: Sequence[str], stages: str | None) -> PipelineConfig:
    """Parameters from a YAML file, then from ``name=value`` texts, then the stages.

    Raises:
        ConfigError: If the file is no mapping, or a name or value is not allowed.
    """
    flat: dict[str, Any] = {}
    if file is not None:
        flat |= _read_flat(file)
    flat |= dict(parse(PipelineConfig, text) for text in assignments)
    if stages is not None:
        flat['stages'] = [name.strip() for name in stages.split(',') if name.strip()]
    return build(PipelineConfig, flat)


def run_recording(
    path: Path,
    directory: Path,
    config: PipelineConfig,
    *,
    camera_file: Path | None = None,
    start_s: float = 0.0,
    duration_s: float | None = None,
    events_topic: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Run the pipeline over a recording and leave a run folder with a report.

    Args:
        path: Any recording that ``open_recording`` knows.
        directory: A new or empty folder for the results.
        config: All parameters.
        camera_file: Calibration; without it the recording must hold one, unless only images are wanted.
        start_s: How much of the recording to skip, seconds.
        duration_s: How much of it to process, seconds; None for all.
        events_topic: Which topic holds the events, where there are several.
        progress: Called with a line of text now and then.

    Returns:
        The metrics that also go into ``metrics.json``.

    Raises:
        CalibrationError: If a stage needs a camera model and there is none.
    """
    recording = open_recording(path, events_topic=events_topic)
    camera = _camera(recording, camera_file, config)
    stopwatch, tally = Stopwatch(), Tally()
    pipeline = Pipeline(config, camera, observer=stopwatch)
    with RunFolder(directory, config) as folder, _log_to(folder.path / 'log.txt'):
        start = perf_counter()
        span = _drive(recording.samples(start_s=start_s, duration_s=duration_s), pipeline, folder, tally, stopwatch, progress)
        metrics = summarise(pipeline.counts, tally, stopwatch, recorded_s=span, wall_s=perf_counter() - start)
        metrics['input'] = recording.warnings()
        for name, count in metrics['input'].items():
            logger.warning('%s: %s', name, count)
        folder.write_metrics(metrics)
    write_report(directory, title=f'{path.name}: run', metrics=metrics)
    return finite(metrics)
