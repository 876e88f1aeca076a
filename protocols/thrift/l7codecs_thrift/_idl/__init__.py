"""Values by the names of an interface, which thriftpy2 reads."""
