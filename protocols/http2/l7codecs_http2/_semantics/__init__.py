"""What a stream means: HTTP, gRPC and Triple, told from its fields and its body. It knows no frames but flow control's account."""
