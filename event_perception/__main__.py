# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``python -m event_perception`` is the command line."""

import sys

from event_perception.cli import main

sys.exit(main())
