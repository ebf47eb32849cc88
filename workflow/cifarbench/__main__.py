"""`python -m cifarbench` is `cifarbench`."""

import sys

from .cli import main

sys.exit(main())
