"""Mux of Twitter, which carries Thrift between clients and servers of Finagle."""
