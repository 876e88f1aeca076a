"""``python -m l7codecs.testing golden PROTOCOL FOLDER``: see `l7codecs.testing.golden`."""

from __future__ import annotations

import sys

from l7codecs.testing.golden import main

if sys.argv[1:2] == ["golden"]:
    sys.exit(main(sys.argv[2:]))
sys.exit("python -m l7codecs.testing golden PROTOCOL FOLDER [VECTOR…]; more with golden --help")
