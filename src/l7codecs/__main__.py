"""``python -m l7codecs``: the same as the ``l7codecs`` command."""

import sys

from l7codecs_command import main

sys.exit(main())
