"""What `cifarbench bench` measured, read again."""

import json
from pathlib import Path
from typing import Any

from cifarbench.errors import UserError


def read_speed(path: Path) -> dict[str, Any]:
    """Read what `bench` wrote."""
    try:
        figures: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path}: cannot be read: {error}; remove it, or make it again with `make bench`"
        ) from None
    if not isinstance(figures, dict) or not {"device", "threads", "rounds", "rows"} <= figures.keys():
        raise UserError(
            f"{path}: was written by another version; remove it, or make it again with `make bench`"
        )
    return figures
