"""What gRPC messages say: framing, compression, and protobuf by descriptor."""
