# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Lens files: our YAML form, the JSON form of DeepLens, and the prescriptions that come with the package.

YAML, lengths in mm, one surface a line, in the order in which light meets them::

    name: My doublet
    source: where it was published
    focal_length: 100.0        # nominal; scales the image of the renderer
    wavelengths: [0.4861, 0.5876, 0.6563]   # um, optional; with weights: [0.25, 0.5, 0.25]
    surfaces:
      - {radius: 64.1, gap: 3.5, glass: n-sk11, semi_aperture: 10.0, stop: true}
      - {radius: -43.249, gap: 1.5, glass: 1.6668/33.12, semi_aperture: 10.0}
      - {radius: -183.685, gap: 97.449, semi_aperture: 10.0, conic: -0.5, asphere: [0, 1.0e-6]}

A missing or 0 radius is a plane, a missing glass is air, ``asphere`` holds a_2, a_4, ... ``gap`` of the last surface
is the distance to the sensor. A stop of its own is a plane between air and air with ``stop: true``.

JSON of DeepLens: ``surfaces`` with ``type``, ``r`` (semi-aperture), ``roc`` or ``c`` (roc wins, 0 is a plane), ``d_next``,
``mat2``, and ``k`` and ``ai`` for aspheres; positions are rebuilt from ``d_next``.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml

from event_perception.errors import DataError
from event_perception.optics.glass import AIR, LINE_C_UM, LINE_D_UM, LINE_F_UM, Glass, glass
from event_perception.optics.lens import Lens
from event_perception.optics.paraxial import first_order

SHIPPED = Path(__file__).parent / 'lenses'
SURFACE_KEYS = {'radius', 'gap', 'glass', 'semi_aperture', 'stop', 'conic', 'asphere'}
TOP_KEYS = {'name', 'source', 'focal_length', 'wavelengths', 'weights', 'surfaces'}
DEEPLENS_TYPES = ('Spheric', 'Aspheric', 'Plane', 'Aperture', 'Stop')


def read_lens(path: Path | str) -> Lens:
    """Read a lens file; ``.json`` is the DeepLens form, anything else ours.

    Raises:
        DataError: If it is not such a file, or names a glass or a type of surface that is not known.
    """
    path = Path(path)
    try:
        tree = json.loads(path.read_text()) if path.suffix == '.json' else yaml.safe_load(path.read_text())
    except (json.JSONDecodeError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f'{path}: cannot be read as a lens file: {error}') from error
    if not isinstance(tree, Mapping) or not tree.get('surfaces'):
        raise DataError(f'{path}: a lens file is a mapping with a list "surfaces"; see docs/optics.md')
    try:
        return _from_deeplens(tree, path.stem) if path.suffix == '.json' else _from_yaml(tree, path.stem)
    except (TypeError, ValueError, KeyError) as error:
        if isinstance(error, DataError):
            raise DataError(f'{path}: {error}') from error
        raise DataError(f'{path}: {type(error).__name__} {error}; see docs/optics.md for the form') from error


def shipped_lenses() -> list[str]:
    """Names that ``shipped_lens`` accepts."""
    return sorted(file.stem for file in SHIPPED.glob('*.yaml'))


def shipped_lens(name: str) -> Lens:
    """A prescription that comes with the package.

    Raises:
        DataError: If there is none of this name.
    """
    if name not in shipped_lenses():
        raise DataError(
            f'no lens {name!r} comes with the package; choose from {shipped_lenses()} or read_lens(file)'
        )
    return read_lens(SHIPPED / f'{name}.yaml')


def write_lens(lens: Lens, path: Path) -> None:
    """Write our YAML form; ``read_lens`` gives the same lens again."""
    rows = []
    for s in range(lens.surfaces):
        c = float(lens.curvature[s])
        row: dict[str, Any] = {'radius': 1 / c if c else 0.0, 'gap': float(lens.gap[s])}
        row |= {'glass': _glass_text(lens.media[s]), 'semi_aperture': float(lens.semi_aperture[s])}
        if float(lens.conic[s]):
            row['conic'] = float(lens.conic[s])
        if bool((lens.asphere[s] != 0).any()):
            row['asphere'] = lens.asphere[s].tolist()
        rows.append(row | ({'stop': True} if s == lens.stop else {}))
    tree = {
        'name': lens.name,
        'source': lens.source,
        'focal_length': lens.focal_length_mm,
        'wavelengths': list(lens.wavelengths_um),
        'weights': list(lens.wavelength_weights),
        'surfaces': rows,
    }
    path.write_text(yaml.safe_dump(tree, sort_keys=False, default_flow_style=None, width=110))


def _glass_text(medium: Glass) -> str:
    return medium.name if medium == AIR else f'{medium.n_d!r}/{medium.abbe!r}'


def _from_yaml(tree: Mapping[str, Any], stem: str) -> Lens:
    _only(tree, TOP_KEYS, 'the top level')
    rows = tree['surfaces']
    for k, row in enumerate(rows):
        _only(row, SURFACE_KEYS, f'surface {k}')
    stops = [k for k, row in enumerate(rows) if row.get('stop')]
    if len(stops) != 1:
        raise DataError(f'{len(stops)} surfaces have "stop: true"; mark exactly one')
    columns = {
        'curvature': [_curvature(float(row.get('radius', 0.0))) for row in rows],
        'conic': [float(row.get('conic', 0.0)) for row in rows],
        'gap': [float(row['gap']) for row in rows],
        'semi_aperture': [float(row['semi_aperture']) for row in rows],
    }
    waves = tuple(float(w) for w in tree.get('wavelengths', (LINE_F_UM, LINE_D_UM, LINE_C_UM)))
    weights = tuple(float(w) for w in tree.get('weights', [1 / len(waves)] * len(waves)))
    if 'wavelengths' not in tree and 'weights' not in tree:
        weights = (0.25, 0.5, 0.25)
    return _lens(
        columns,
        [row.get('asphere', []) for row in rows],
        name=str(tree.get('name', stem)),
        media=tuple(glass(str(row.get('glass', 'air'))) for row in rows),
        stop=stops[0],
        focal_length=tree.get('focal_length'),
        wavelengths_um=waves,
        wavelength_weights=weights,
        source=str(tree.get('source', '')),
    )


def _from_deeplens(tree: Mapping[str, Any], stem: str) -> Lens:
    rows = tree['surfaces']
    for k, row in enumerate(rows):
        if row.get('type') not in DEEPLENS_TYPES:
            raise DataError(
                f'surface {k} has type {row.get("type")!r}; this tracer knows {list(DEEPLENS_TYPES)}: rotationally '
                'symmetric refracting surfaces'
            )
    stops = [k for k, row in enumerate(rows) if row['type'] in ('Aperture', 'Stop')]
    if len(stops) > 1:
        raise DataError(f'surfaces {stops} are all stops; only one is allowed')
    flat = [row['type'] in ('Plane', 'Aperture', 'Stop') for row in rows]
    columns = {
        'curvature': [0.0 if f else _deeplens_curvature(row) for row, f in zip(rows, flat)],
        'conic': [float(row.get('k', 0.0)) if row['type'] == 'Aspheric' else 0.0 for row in rows],
        'gap': [float(row['d_next']) for row in rows],
        'semi_aperture': [float(row['r']) for row in rows],
    }
    stop = stops[0] if stops else min(range(len(rows)), key=lambda k: columns['semi_aperture'][k])
    return _lens(
        columns,
        [row.get('ai', []) if row['type'] == 'Aspheric' else [] for row in rows],
        name=stem,
        media=tuple(glass(str(row['mat2'])) for row in rows),
        stop=stop,
        focal_length=None,  # the stored one is often wrong by per cents: computed instead
        source=str(tree.get('info', '')),
    )


def _deeplens_curvature(row: Mapping[str, Any]) -> float:
    return _curvature(float(row['roc'])) if 'roc' in row else float(row['c'])


def _curvature(radius: float) -> float:
    return 1 / radius if radius else 0.0


def _lens(
    columns: Mapping[str, Sequence[float]],
    aspheres: Sequence[Sequence[float]],
    *,
    focal_length: Any,
    **others: Any,
) -> Lens:
    terms = max(len(a) for a in aspheres)
    padded = [[float(v) for v in a] + [0.0] * (terms - len(a)) for a in aspheres]
    tensors: dict[str, Any] = {
        name: torch.tensor(values, dtype=torch.float64) for name, values in columns.items()
    }
    table = torch.tensor(padded, dtype=torch.float64).reshape(len(aspheres), terms)
    lens = Lens(asphere=table, focal_length_mm=float(focal_length or 1.0), **tensors, **others)
    if focal_length is None:
        efl = float(first_order(lens).efl_mm)
        lens = Lens(asphere=table, focal_length_mm=efl, **tensors, **others)
    return lens


def _only(row: Any, allowed: set[str], where: str) -> None:
    unknown = sorted(set(row) - allowed)
    if unknown:
        raise DataError(f'unknown keys {unknown} at {where}; known: {sorted(allowed)}')
