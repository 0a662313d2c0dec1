# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Dense optical flow, as `~/flow` (32FC2, px/s), `~/flow_image` (colours) and `~/confidence` (32FC1, 0 to 1).

One stage of the pipeline in a process of its own; `perception_node` runs all of them over one decoding.
"""

import sys

from event_perception.nodes.base import PerceptionNode
from event_perception.nodes.config import FLOW_NODE
from event_perception.nodes.run import run


def main() -> None:
    """Run the node until a signal ends it."""
    sys.exit(run(lambda: PerceptionNode('flow_node', stages=('flow',), defaults=FLOW_NODE)))


if __name__ == '__main__':
    main()
