"""What one message of Thrift looks like: head, body and values, in each of the encodings. `encodings` lists them."""
