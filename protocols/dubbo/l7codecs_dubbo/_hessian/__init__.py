"""Hessian 2: streams of values, passed over, read and written."""
