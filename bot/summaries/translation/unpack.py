"""Unpacks a Zstandard file, as a process of its own: `python -m bot.summaries.unpack FROM TO`.

fxtranslate holds the interpreter's lock while it unpacks, for 0.2 s and more, in which no event loop would turn. The
standard library has Zstandard from Python 3.14 on.
"""

import sys
from pathlib import Path


def unpack(packed: Path, unpacked: Path) -> None:
    """Raises ValueError where it is no Zstandard, or not all of it."""
    from fxtranslate import discovery

    unpacked.write_bytes(discovery.verify_and_decompress(packed.read_bytes()))


if __name__ == "__main__":
    try:
        unpack(Path(sys.argv[1]), Path(sys.argv[2]))
    except ValueError as error:
        sys.exit(str(error))
