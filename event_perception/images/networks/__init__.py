# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Networks of the learned spike reconstructions, one idea a file; only torch is needed."""
