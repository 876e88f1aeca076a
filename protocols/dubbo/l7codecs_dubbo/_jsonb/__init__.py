"""JSONB, the binary form of JSON that fastjson2 writes: passing over values, reading and writing them."""
