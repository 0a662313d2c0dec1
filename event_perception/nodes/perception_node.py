# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""All stages in one process: events are decoded and cut once, and stages hand arrays to each other.

Which stages run is the parameter `stages`; what nobody subscribes to is not computed where it can rest.
"""

import sys

from event_perception.nodes.base import PerceptionNode
from event_perception.nodes.run import run


def main() -> None:
    """Run the node until a signal ends it."""
    sys.exit(run(lambda: PerceptionNode('perception_node')))


if __name__ == '__main__':
    main()
