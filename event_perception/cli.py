# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The command line. Parsing lives here; every command imports what it needs when it runs.

Exit codes: 0 done, 1 a known error in one line, 2 usage, 130 interrupted.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

from event_perception import __version__
from event_perception.errors import EventPerceptionError

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except EventPerceptionError as error:
        print(f'event-perception: {error}', file=sys.stderr)
        return 1
    except FileNotFoundError as error:
        print(f'event-perception: {error.filename}: no such file or folder', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('event-perception: interrupted', file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, as in `... | head`
        sys.stderr.close()
        return 0
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='event-perception',
        description='Egomotion, optical flow, images and odometry from event cameras.',
    )
    parser.add_argument('--version', action='version', version=__version__)
    commands = parser.add_subparsers(title='commands', metavar='COMMAND', required=True)
    adders = (
        _add_info,
        _add_run,
        _add_eval,
        _add_simulate,
        _add_train,
        _add_design,
        _add_params,
        _add_bench,
        _add_demo,
    )
    for add in adders:
        add(commands)
    return parser


def _add_info(commands: Any) -> None:
    command = commands.add_parser('info', help='say what a recording holds')
    _add_input(command)
    _add_settings(command)
    command.add_argument('--json', action='store_true', help='print JSON')
    command.set_defaults(command=_info)


def _add_run(commands: Any) -> None:
    command = commands.add_parser('run', help='run the pipeline over a recording')
    _add_input(command)
    _add_configuration(command)
    command.add_argument('--stages', metavar='NAMES', help='comma-separated: egomotion,flow,images,odometry')
    command.add_argument('--start', type=float, default=0.0, metavar='S', help='skip this many seconds')
    command.add_argument('--duration', type=float, metavar='S', help='stop after this many seconds')
    command.add_argument('-o', '--output', type=Path, required=True, metavar='DIR', help='a new folder')
    command.set_defaults(command=_run)


def _add_eval(commands: Any) -> None:
    command = commands.add_parser('eval', help='compare the results of a run with a reference')
    command.add_argument('directory', type=Path, metavar='DIR', help='a folder written by run, or a bag')
    command.add_argument(
        '--reference', type=Path, required=True, metavar='PATH', help='file, folder or bag with the truth'
    )
    command.add_argument('--topic', metavar='NAME', help='topic of the odometry, where DIR is a bag')
    command.add_argument('--reference-topic', metavar='NAME', help='topic of the poses, where PATH is a bag')
    command.add_argument('--report', type=Path, metavar='FILE', help='page of plots; DIR/evaluation.html')
    command.add_argument('--json', action='store_true', help='print JSON')
    command.set_defaults(command=_eval)


def _add_simulate(commands: Any) -> None:
    command = commands.add_parser('simulate', help='make a recording with exact truth')
    command.add_argument('scene', metavar='SCENE', help='room, rotation, slider, orbit, synA, dataset, ...')
    command.add_argument('-o', '--output', type=Path, required=True, metavar='FOLDER', help='a new folder')
    command.add_argument('--seed', type=int, default=0, help='of everything random')
    command.add_argument('--duration', type=float, metavar='S', help='length in seconds')
    forms = ('bag', 'ecd', 'dsec', 'aedat4', 'spikes')
    command.add_argument('--form', choices=forms, default='bag', help='rosbag2, text files, HDF5, ...')
    command.set_defaults(command=_simulate)


def _add_train(commands: Any) -> None:
    command = commands.add_parser('train', help='train a network on samples that are made for it')
    command.add_argument('task', metavar='TASK', help='what for: spikes, ...')
    command.add_argument('--method', required=True, metavar='NAME', help='which network, e.g. compact')
    command.add_argument('-o', '--output', type=Path, required=True, metavar='DIR', help='a new folder')
    _add_settings(command)
    command.add_argument('--resume', action='store_true', help='go on with the training in DIR')
    command.add_argument('--steps', type=int, metavar='N', help='short for --set training.steps=N')
    command.add_argument('--seed', type=int, metavar='N', help='short for --set training.seed=N')
    command.add_argument('--minutes', type=float, metavar='M', help='stop after so long; --resume goes on')
    command.add_argument('--device', choices=('cpu', 'cuda'), default='cpu', help='where to compute')
    command.set_defaults(command=_train)


def _add_design(commands: Any) -> None:
    command = commands.add_parser('design', help='optimise a lens, a camera mount or the whole chain')
    command.add_argument('name', metavar='NAME', help='lens, mount, chain')
    command.add_argument(
        '-o', '--output', type=Path, required=True, metavar='DIR', help='a new folder, or one to resume'
    )
    _add_settings(command)
    command.set_defaults(command=_design)


def _add_params(commands: Any) -> None:
    command = commands.add_parser('params', help='list every parameter with default, range and meaning')
    command.add_argument('stage', nargs='?', metavar='STAGE', help='only this branch, e.g. egomotion')
    command.add_argument('--yaml', choices=('plain', 'ros'), help='print a configuration file instead')
    command.set_defaults(command=_params)


def _add_bench(commands: Any) -> None:
    command = commands.add_parser('bench', help='measure speed as ratios inside one run')
    command.add_argument('what', nargs='*', metavar='WHAT', help='codecs, images, binning, egomotion, ...')
    command.add_argument('--json', action='store_true', help='print JSON')
    command.set_defaults(command=_bench)


def _add_demo(commands: Any) -> None:
    command = commands.add_parser('demo', help='play the bundled recording through ROS 2 and report')
    command.add_argument(
        '-o', '--output', type=Path, metavar='DIR', help='a new folder; demo_report, or demo_report_2 ...'
    )
    command.add_argument('--sim', action='store_true', help='a simulated robot with exact truth instead')
    command.set_defaults(command=_demo)


def _add_input(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        'input', type=Path, metavar='INPUT', help='bag, folder or file; its kind is recognised'
    )
    command.add_argument('--topic', metavar='NAME', help='topic of the events, where a bag holds several')


def _add_configuration(command: argparse.ArgumentParser) -> None:
    command.add_argument('--camera', type=Path, metavar='FILE', help='camera_info YAML or ECD calib.txt')
    _add_settings(command)


def _add_settings(command: argparse.ArgumentParser) -> None:
    command.add_argument('--config', type=Path, metavar='FILE', help='YAML with parameters (see params)')
    command.add_argument('--set', action='append', default=[], metavar='KEY=VALUE', help='one parameter')


def _info(options: argparse.Namespace) -> None:
    from event_perception.runs.configuration import load_config
    from event_perception.runs.offline import describe

    config = load_config(options.config, options.set)
    information = describe(options.input, config, events_topic=options.topic)
    print(json.dumps(information, indent=2) if options.json else _table(information))


def _run(options: argparse.Namespace) -> None:
    from event_perception.runs.configuration import load_config
    from event_perception.runs.offline import Stretch, run_recording

    config = load_config(options.config, options.set, options.stages)
    metrics = run_recording(
        options.input,
        options.output,
        config,
        camera_file=options.camera,
        stretch=Stretch(options.start, options.duration),
        events_topic=options.topic,
        progress=_progress if sys.stderr.isatty() else None,
    )
    print(_table(metrics))
    print(f'report: {options.output / "report.html"}')


def _eval(options: argparse.Namespace) -> None:
    from event_perception.runs.compare import compare, judged
    from event_perception.runs.evaluation_report import evaluation_page, write_evaluation

    directory, reference = options.directory, options.reference
    pair = judged(directory, reference, topic=options.topic, reference_topic=options.reference_topic)
    result = compare(directory, reference, pair)
    title = f'{directory.name} against {reference.name}'
    page = options.report or evaluation_page(directory)
    write_evaluation(page, title=title, errors=result, pair=pair)
    print(json.dumps(result, indent=2) if options.json else f'{_table(result)}\nreport: {page}')


def _simulate(options: argparse.Namespace) -> None:
    from event_perception.runs.simulate import simulate

    written = simulate(
        options.scene, options.output, seed=options.seed, duration_s=options.duration, form=options.form
    )
    print(_table(written))


def _train(options: argparse.Namespace) -> None:
    from event_perception.learning.interrupt import wish_to_stop
    from event_perception.learning.plan import make_plan
    from event_perception.learning.training import train

    numbers = {'training.steps': options.steps, 'training.seed': options.seed}
    assignments = options.set + [f'{name}={value}' for name, value in numbers.items() if value is not None]
    file = options.config or (options.output / 'config.yaml' if options.resume else None)
    plan = make_plan(f'{options.task}.{options.method}', file, assignments)
    with wish_to_stop() as stop:
        result = train(
            plan,
            options.output,
            resume=options.resume,
            minutes=options.minutes,
            device=options.device,
            progress=lambda text: print(text, flush=True),
            stop=stop,
        )
    print(_table({'end': result.end, 'steps': result.steps, **result.metrics}))
    print(f'weights: {options.output / "weights.safetensors"}')


def _design(options: argparse.Namespace) -> None:
    from event_perception.learning.interrupt import wish_to_stop
    from event_perception.optics.design.run import design_config, run_design

    config = design_config(options.name, options.config, options.set)
    progress = _progress if sys.stderr.isatty() else None
    with wish_to_stop() as stop:
        metrics = run_design(options.name, options.output, config, progress=progress, stop=stop)
    print(_table(metrics))
    print(f'report: {options.output / "report.html"}')


def _params(options: argparse.Namespace) -> None:
    from event_perception.runs.configuration import parameters_text

    print(parameters_text(options.stage, options.yaml))


def _bench(options: argparse.Namespace) -> None:
    from event_perception.evaluation.bench import run_benchmarks

    result = run_benchmarks(options.what)
    print(json.dumps(result, indent=2) if options.json else _table(result))


def _demo(options: argparse.Namespace) -> None:
    from event_perception.runs.demo import run_demo
    from event_perception.runs.demo_sim import run_demo_sim

    run_one = run_demo_sim if options.sim else run_demo
    output = options.output or _free_folder('demo_sim_report' if options.sim else 'demo_report')
    table = run_one(output, say=lambda text: print(text, flush=True))
    print(_table(table))
    print(f'report: {output / "report.html"}')


def _free_folder(name: str) -> Path:
    """The first of name, name_2, name_3 ... that does not exist: results are never overwritten."""
    return next(p for k in count(1) if not (p := Path(name if k == 1 else f'{name}_{k}')).exists())


def _progress(text: str) -> None:
    print(f'\r\033[K{text}', end='', file=sys.stderr, flush=True)


def _table(values: dict[str, Any], indent: str = '') -> str:
    """Nested names and values as aligned lines."""
    width = max((len(key) for key in values), default=0)
    lines = []
    for key, value in values.items():
        if isinstance(value, dict):
            lines += [f'{indent}{key}', _table(value, indent + '  ')]
        else:
            lines.append(f'{indent}{key:<{width}}  {_text(value)}')
    return '\n'.join(lines)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f'{value:.6g}'
    if isinstance(value, (list, tuple)):
        return ', '.join(_text(element) for element in value) or '-'
    return '-' if value is None else str(value)
