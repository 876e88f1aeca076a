"""What an engine tells of itself: metrics, an access log, traces, and an endpoint for whoever operates it. See README.md beside this."""
