"""Train, compare and report small image classifiers; `cifarbench --help` lists the steps."""

__version__ = "0.1.0"
