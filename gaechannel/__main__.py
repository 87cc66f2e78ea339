"""``python -m gaechannel`` is the command ``gaechannel``."""

import sys

from gaechannel.cli import main

if __name__ == "__main__":
    sys.exit(main())
