# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Scenes, trajectories and sensors with exact truth."""
