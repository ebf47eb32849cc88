"""`python -m cifarbench` is `cifarbench`."""

import sys

if not sys.flags.safe_path:
    # `python -m` puts the working directory first: a `random.py` there must not pass for Python's own.
    del sys.path[0]

from cifarbench.cli.parser import main

sys.exit(main())
