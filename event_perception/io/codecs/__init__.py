# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Bytes of message payloads and files to arrays, one encoding a file."""
