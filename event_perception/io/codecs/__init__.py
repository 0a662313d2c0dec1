# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Event encodings, one a file: bytes to events and triggers, and back.

The table below names the decoders; another package adds one through the entry point group
``event_perception.decoder``. Importing this folder loads no decoder, and thereby no numba.
"""

from event_perception.io.codecs.decoder import Decoded, Decoder, Payload
from event_perception.io.codecs.state import DecoderCounts, DecoderState
from event_perception.io.codecs.triggers import Triggers
from event_perception.registry import Registry

decoders = Registry(
    'decoder',
    {
        'evt2': 'event_perception.io.codecs.evt2:EVT2',
        'evt21': 'event_perception.io.codecs.evt2:EVT21',
        'evt21_legacy': 'event_perception.io.codecs.evt2:EVT21_LEGACY',
        'evt3': 'event_perception.io.codecs.evt3:EVT3',
        'libcaer': 'event_perception.io.codecs.libcaer:LIBCAER',
        'libcaer_cmp': 'event_perception.io.codecs.libcaer_cmp:LIBCAER_CMP',
        'mono': 'event_perception.io.codecs.mono:MONO',
        'trigger': 'event_perception.io.codecs.mono:TRIGGER',
    },
)

__all__ = ['Decoded', 'Decoder', 'DecoderCounts', 'DecoderState', 'Payload', 'Triggers', 'decoders']
