"""``python -m l7codecs.testing golden`` and ``states``: see `l7codecs.testing.golden` and `l7codecs.testing.states`."""

from __future__ import annotations

import sys

from l7codecs.testing import golden, reporting

if sys.argv[1:2] == ["golden"]:
    sys.exit(golden.main(sys.argv[2:]))
if sys.argv[1:2] == ["states"]:
    sys.exit(reporting.main(sys.argv[2:]))
sys.exit("python -m l7codecs.testing golden PROTOCOL FOLDER [VECTOR…], or states PROTOCOL [FOLDER…]; more with --help")
