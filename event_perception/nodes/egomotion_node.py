# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Angular velocity of the camera, as `~/twist`, and the image of warped events.

One stage of the pipeline in a process of its own; `perception_node` runs all of them over one decoding.
"""

import sys

from event_perception.nodes.base import PerceptionNode
from event_perception.nodes.run import run


def main() -> None:
    """Run the node until a signal ends it."""
    sys.exit(run(lambda: PerceptionNode('egomotion_node', stages=('egomotion',))))


if __name__ == '__main__':
    main()
