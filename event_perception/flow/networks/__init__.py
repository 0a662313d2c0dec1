# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Networks for optical flow. They need torch; import the module that is wanted."""
