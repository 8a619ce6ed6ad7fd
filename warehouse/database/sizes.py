"""Sizes of memory and files as people write them. Pure; imports no library."""

import re

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]I?B|BYTES?)", re.IGNORECASE)
_UNITS = {"BYTE": 1, "BYTES": 1}
_UNITS |= {f"{letter}B": 1000**power for power, letter in enumerate("KMGT", start=1)}
_UNITS |= {f"{letter}IB": 1024**power for power, letter in enumerate("KMGT", start=1)}


def parse_size(text: str) -> int:
    """The bytes of a size such as 512MB or 1.5 GiB. Raises ValueError."""
    match = _SIZE.fullmatch(text.strip())
    size = int(float(match[1]) * _UNITS[match[2].upper()]) if match else 0
    if not size:
        raise ValueError(f"{text!r} is no size; write it as 512MB or 2GB")
    return size


def format_size(size: float) -> str:
    """Bytes as people read them: 512 MB, 1.5 GB."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:,.0f} MB"
