# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Seconds in text to integer nanoseconds and back, exactly."""

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

from event_perception.errors import DataError

NS = 1_000_000_000


def ns_from_seconds(text: str) -> int:
    """Nanoseconds of a decimal number of seconds, rounded half to even beyond nine digits.

    Raises:
        DataError: If the text is not a finite number.
    """
    try:
        return int((Decimal(text) * NS).to_integral_value(ROUND_HALF_EVEN))
    except (InvalidOperation, ValueError, OverflowError) as error:
        raise DataError(f'{text!r} is not a time in seconds') from error


def seconds_text(t_ns: int) -> str:
    """Seconds with nine digits behind the point."""
    sign = '-' if t_ns < 0 else ''
    seconds, rest = divmod(abs(int(t_ns)), NS)
    return f'{sign}{seconds}.{rest:09d}'
