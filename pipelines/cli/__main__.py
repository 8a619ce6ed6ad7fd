"""`python -m pipelines.cli`: the command line."""

import sys

from pipelines.cli.parser import main

if __name__ == "__main__":  # worker processes import this module too
    sys.exit(main())
