"""Frames on the wire (RFC 9113 §4, §6): their layout, where one may begin, settings and windows. It knows no streams."""
