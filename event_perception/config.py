# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Parameters declared once, as fields of frozen dataclasses.

From one declaration come the ROS parameter, the YAML file, the command line flag and the docs table.
Names are dotted paths through nested dataclasses: ``egomotion.window.duration_s``.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from event_perception.errors import ConfigError

Config = TypeVar('Config')


def param(
    default: Any, doc: str, *, ge: float | None = None, le: float | None = None, live: bool = False
) -> Any:
    """Declare one parameter.

    Args:
        default: Its default; the type of the field decides what is accepted.
        doc: One sentence, with the unit.
        ge: Smallest allowed value.
        le: Largest allowed value.
        live: Whether it may be changed while a node runs.
    """
    return field(default=default, metadata={'doc': doc, 'ge': ge, 'le': le, 'live': live})


@dataclass(frozen=True)
class Parameter:
    """One leaf of a configuration, as ROS, YAML, flags and docs need to see it."""

    name: str
    type: Any
    default: Any
    doc: str
    ge: float | None
    le: float | None
    live: bool

    @property
    def choices(self) -> tuple[Any, ...]:
        """Allowed values of a ``Literal``, else empty."""
        return get_args(self.type) if get_origin(self.type) is Literal else ()

    def check(self, value: Any) -> Any:
        """Return the value in the declared type.

        Raises:
            ConfigError: If it has another type, is not among the choices or is out of range.
        """
        if self.choices:
            if value not in self.choices:
                raise ConfigError(f'{self.name}={value!r}: choose one of {list(self.choices)}')
            return value
        value = self._typed(value)
        for element in value if isinstance(value, tuple) else (value,):
            self._check_range(element)
        return value

    def _typed(self, value: Any) -> Any:
        base = get_origin(self.type) or self.type
        if base is float and type(value) is int:
            return float(value)
        if base is tuple and isinstance(value, (list, tuple)):
            return tuple(self._element(v) for v in value)
        if type(value) is not base:
            raise ConfigError(f'{self.name}={value!r}: expected {base.__name__}, got {type(value).__name__}')
        return value

    def _element(self, value: Any) -> Any:
        kind = get_args(self.type)[0]
        if kind is float and type(value) is int:
            return float(value)
        if type(value) is not kind:
            raise ConfigError(f'{self.name}: every element must be {kind.__name__}, got {value!r}')
        return value

    def _check_range(self, value: Any) -> None:
        low, high = self.ge, self.le
        inside = (low is None or value >= low) and (high is None or value <= high)
        if not inside:
            raise ConfigError(
                f'{self.name}={value!r}: allowed [{_bound(low, "-inf")}, {_bound(high, "inf")}]'
            )


def _bound(value: float | None, otherwise: str) -> str:
    return otherwise if value is None else f'{value:g}'


@cache
def parameters(cls: Any) -> tuple[Parameter, ...]:
    """All parameters of a configuration class, in declaration order, with dotted names."""
    return tuple(_walk(cls, ''))


def _walk(cls: Any, prefix: str) -> Iterator[Parameter]:
    hints = get_type_hints(cls)
    for f in fields(cls):
        kind, m = hints[f.name], f.metadata
        if is_dataclass(kind):
            yield from _walk(kind, f'{prefix}{f.name}.')
        else:
            yield Parameter(prefix + f.name, kind, f.default, m['doc'], m['ge'], m['le'], m['live'])


def flatten(config: Any, prefix: str = '') -> dict[str, Any]:
    """Dotted names to values, in declaration order."""
    flat: dict[str, Any] = {}
    for f in fields(config):
        value = getattr(config, f.name)
        if is_dataclass(value):
            flat |= flatten(value, f'{prefix}{f.name}.')
        else:
            flat[prefix + f.name] = value
    return flat


def build(cls: Callable[..., Config], flat: Mapping[str, Any]) -> Config:
    """Construct a configuration from dotted names; what is not named keeps its default.

    Raises:
        ConfigError: If a name is unknown or a value is not allowed.
    """
    known = {p.name: p for p in parameters(cls)}
    unknown = sorted(set(flat) - set(known))
    if unknown:
        raise ConfigError(f'unknown parameters {unknown}; known: {sorted(known)}')
    values = {name: known[name].check(value) for name, value in flat.items()}
    return _construct(cls, values, '')


def _construct(cls: Any, values: Mapping[str, Any], prefix: str) -> Any:
    hints = get_type_hints(cls)
    arguments: dict[str, Any] = {}
    for f in fields(cls):
        name = prefix + f.name
        if is_dataclass(hints[f.name]):
            arguments[f.name] = _construct(hints[f.name], values, name + '.')
        elif name in values:
            arguments[f.name] = values[name]
    return cls(**arguments)


def update(config: Config, flat: Mapping[str, Any]) -> Config:
    """The same configuration with some dotted names changed."""
    return build(type(config), flatten(config) | dict(flat))


def nested_to_flat(tree: Mapping[str, Any], prefix: str = '') -> dict[str, Any]:
    """A nested mapping, as YAML gives it, to dotted names."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= nested_to_flat(value, f'{prefix}{key}.')
        else:
            flat[f'{prefix}{key}'] = value
    return flat


def flat_to_nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted names to a nested mapping, ready for YAML; tuples become lists."""
    tree: dict[str, Any] = {}
    for name, value in flat.items():
        *parents, leaf = name.split('.')
        branch = tree
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[leaf] = list(value) if isinstance(value, tuple) else value
    return tree


def parse(cls: type, assignment: str) -> tuple[str, Any]:
    """Read one ``name=value`` of the command line; the value is YAML.

    Raises:
        ConfigError: If there is no '=', or the name or value is not allowed.
    """
    import yaml

    name, equals, text = assignment.partition('=')
    known = {p.name: p for p in parameters(cls)}
    if not equals:
        raise ConfigError(f'{assignment!r}: expected name=value')
    if name not in known:
        raise ConfigError(f'unknown parameter {name!r}; known: {sorted(known)}')
    return name, known[name].check(yaml.safe_load(text))


def markdown(cls: type) -> str:
    """A docs table: name, type, default, range, doc."""
    rows = ['| name | type | default | range | meaning |', '|---|---|---|---|---|']
    rows += [
        f'| `{p.name}` | {_type_name(p)} | `{p.default!r}` | {_range(p)} | {p.doc} |' for p in parameters(cls)
    ]
    return '\n'.join(rows)


def _type_name(p: Parameter) -> str:
    if p.choices:
        return 'choice'
    return f'list of {get_args(p.type)[0].__name__}' if get_origin(p.type) is tuple else p.type.__name__


def _range(p: Parameter) -> str:
    if p.choices:
        return ', '.join(f'`{c}`' for c in p.choices)
    if p.ge is None and p.le is None:
        return ''
    return f'[{_bound(p.ge, "-inf")}, {_bound(p.le, "inf")}]' + (', live' if p.live else '')
