"""`python -m cifarbench` is `cifarbench`."""

import sys

from cifarbench.cli.parser import main

sys.exit(main())
