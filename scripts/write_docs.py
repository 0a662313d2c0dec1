# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Writes what follows from the code: docs/parameters.md and the parameter files in config/ (`make params`)."""

from pathlib import Path

from event_perception.config import markdown
from event_perception.pipeline_config import PipelineConfig

ROOT = Path(__file__).resolve().parent.parent
HEAD = """# Parameters

Declared once in the code; this page is written by `make params`. On the command line: `--set name=value` or
`--config FILE` (`event-perception params --yaml plain` prints one). On a node: ROS parameters of the same names
(`config/perception.yaml`). Those marked live can be changed while a node runs.

"""


def main() -> None:
    """Write the files."""
    (ROOT / 'docs' / 'parameters.md').write_text(HEAD + markdown(PipelineConfig) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
