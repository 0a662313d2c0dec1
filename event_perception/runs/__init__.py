# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A run over a recording: how it is made, what it leaves behind, its report, its comparison with a truth."""
