"""Print the JSON schema of configs.

example: cifarbench schema > workflow/config.schema.json
"""

import argparse
import json

from cifarbench.config.schema import json_schema
from cifarbench.data.catalogue import CATALOGUE


def arguments(_verb: argparse.ArgumentParser) -> None:
    """Take none."""


def run(_args: argparse.Namespace) -> None:
    print(json.dumps(json_schema(CATALOGUE), indent=2))
