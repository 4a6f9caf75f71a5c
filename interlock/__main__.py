"""`python -m interlock` is the command line."""

import sys

from interlock.cli import main

sys.exit(main())
