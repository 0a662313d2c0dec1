# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Running the pipeline over a recording: the same pipeline as in the nodes, without ROS."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from event_perception.errors import CalibrationError
from event_perception.events import EventArray, SpikeStream
from event_perception.io import Recording, open_recording, read_camera
from event_perception.motion import CameraModel
from event_perception.pipeline import Output, Pipeline
from event_perception.pipeline_config import PipelineConfig
from event_perception.runs.folder import RunFolder, finite
from event_perception.runs.report import write_report
from event_perception.runs.stopwatch import Stopwatch
from event_perception.runs.summary import Tally, summarise
from event_perception.runs.video import write_video

WARPED_EVERY = 25  # windows between two stored pairs of event images: pictures for the report, not data

Progress = Callable[[str], None]
logger = logging.getLogger('event_perception')


@dataclass(frozen=True, slots=True)
class Stretch:
    """Which part of a recording is meant: seconds from its first event; None for the rest of it."""

    start_s: float = 0.0
    duration_s: float | None = None


def describe(
    path: Path, config: PipelineConfig | None = None, *, events_topic: str | None = None
) -> dict[str, Any]:
    """What a recording holds, as a plain tree."""
    return finite(_open(path, config or PipelineConfig(), events_topic).describe())


def run_recording(
    path: Path,
    directory: Path,
    config: PipelineConfig,
    *,
    camera_file: Path | None = None,
    stretch: Stretch | None = None,
    events_topic: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Run the pipeline over a recording and leave a run folder with a report.

    Args:
        path: Any recording that ``open_recording`` knows.
        directory: A new or empty folder for the results.
        config: All parameters.
        camera_file: Calibration; without it the recording must hold one, unless only images are wanted.
        stretch: The part to process.
        events_topic: Which topic holds the events, where there are several.
        progress: Called with a line of text now and then.

    Returns:
        The metrics that also go into ``metrics.json``.

    Raises:
        CalibrationError: If a stage needs a camera model and there is none.
    """
    recording = open_recording(path, config=config.recording, events_topic=events_topic, spikes=config.spikes)
    camera = _camera(recording, camera_file, config)
    with RunFolder(directory, config) as folder, log_to(folder.path / 'log.txt'):
        run = _Run(Pipeline(config, camera, observer=(stopwatch := Stopwatch())), folder, stopwatch)
        metrics = run.over(recording, stretch or Stretch(), progress)
        if config.images.video:
            linear = run.spike_planes > 0
            metrics['outputs']['video_frames'] = write_video(
                directory / 'images', directory / 'preview.avi', linear=linear
            )
        folder.write_metrics(metrics)
    write_report(directory, title=f'Run over {path.name}')
    return finite(metrics)


class _Run:
    """Drives one pipeline over one recording into one folder."""

    def __init__(self, pipeline: Pipeline, folder: RunFolder, stopwatch: Stopwatch) -> None:
        self._pipeline, self._folder, self._stopwatch = pipeline, folder, stopwatch
        self._tally = Tally()
        self._first_ns: int | None = None
        self._last_ns = 0

    @property
    def spike_planes(self) -> int:
        """Planes that came; their images are linear in light."""
        return self._pipeline.counts.planes

    def over(self, recording: Recording, stretch: Stretch, progress: Progress | None) -> dict[str, Any]:
        """Process everything; returns the metrics."""
        start = perf_counter()
        for sample in recording.samples(start_s=stretch.start_s, duration_s=stretch.duration_s):
            if isinstance(sample, (EventArray, SpikeStream)) and len(sample):
                self._follow(sample, progress)
            self._store(self._pipeline.push(sample))
        self._store(self._pipeline.finish())
        wall_s = perf_counter() - start
        metrics = summarise(
            self._pipeline.counts, self._tally, self._stopwatch, recorded_s=self._span_s(), wall_s=wall_s
        )
        return metrics | {'left_out': _logged(recording.warnings())}

    def _follow(self, sample: EventArray | SpikeStream, progress: Progress | None) -> None:
        """Note the time reached, and take a picture of warped events now and then."""
        first_ns, last_ns = _span_ns(sample)
        if self._first_ns is None:
            self._first_ns = first_ns
        self._last_ns = max(self._last_ns, last_ns)
        if self._pipeline.config.needs_camera:
            due = self._pipeline.counts.windows % WARPED_EVERY == 0
            (self._pipeline.active.add if due else self._pipeline.active.discard)('warped')
        if progress is not None:
            progress(
                f'{self._span_s():.2f} s of the recording, {self._pipeline.counts.events * 1e-6:.1f} M events'
            )

    def _store(self, outputs: list[Output]) -> None:
        for output in outputs:
            self._tally.add(output)
            self._folder.write(output, self._stopwatch)

    def _span_s(self) -> float:
        return 0.0 if self._first_ns is None else (self._last_ns - self._first_ns) * 1e-9


def _span_ns(sample: EventArray | SpikeStream) -> tuple[int, int]:
    if isinstance(sample, SpikeStream):
        return sample.start_ns, sample.next_ns
    return int(sample.t_ns[0]), int(sample.t_ns[-1])


@contextmanager
def log_to(path: Path) -> Iterator[None]:
    """Write what the package logs into a file, too."""
    handler = logging.FileHandler(path, encoding='utf-8')
    handler.setFormatter(logging.Formatter('%(asctime)s %(levelname)s %(name)s: %(message)s'))
    root = logging.getLogger('event_perception')
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()


def _open(path: Path, config: PipelineConfig, events_topic: str | None) -> Recording:
    return open_recording(path, config=config.recording, events_topic=events_topic, spikes=config.spikes)


def _camera(recording: Recording, file: Path | None, config: PipelineConfig) -> CameraModel | None:
    """The calibration from the file or the recording; an error only if a stage needs one."""
    info = recording.info(count_events=False)
    if file is not None:
        return read_camera(file, height=info.height, width=info.width)
    spikes_only = {s.use for s in info.streams} & {'events', 'spikes'} == {'spikes'}
    without = spikes_only and set(config.stages) <= {'images', 'flow'}
    if info.camera is None and config.needs_camera and not without:
        raise CalibrationError(
            f'{recording.path} holds no calibration, and {", ".join(config.stages)} need one: '
            'give --camera FILE, or --stages images'
        )
    return info.camera


def _logged(warnings: dict[str, int]) -> dict[str, int]:
    for name, count in warnings.items():
        logger.warning('%s: %d', name, count)
    return warnings
