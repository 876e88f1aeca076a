"""The 16-octet header, requests, responses and events, and what is not Dubbo on the same connection."""
