"""Train, compare and report small image classifiers; `cifarbench --help` lists the steps.

In a notebook: `load_results` gives the table of runs, `curves` one run's epochs, `predictor` classifies.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cifarbench.analysis.table import read_table as load_results
    from cifarbench.use.curves import curves
    from cifarbench.use.predictor import predictor

__all__ = ["curves", "load_results", "predictor"]
__version__ = "0.1.0"

# Imported when it is asked for, so that what needs no torch or pandas does not wait for them.
_PLACES = {
    "curves": ("use.curves", "curves"),
    "load_results": ("analysis.table", "read_table"),
    "predictor": ("use.predictor", "predictor"),
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, function = _PLACES[name]
    return getattr(import_module(f"{__name__}.{module}"), function)
