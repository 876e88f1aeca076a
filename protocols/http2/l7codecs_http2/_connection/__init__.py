"""Both directions of one connection: frames in, streams in their states, events out."""
