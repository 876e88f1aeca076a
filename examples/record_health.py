"""Record `captures/health.pcap` and `captures/health.binpb`: a client of gRPC that asks a server for its health, and the types of that.

    pip install 'l7codecs[capture,testing]' grpcio grpcio-health-checking
    python examples/record_health.py [DIRECTORY]

Client and server are grpcio, with a recording relay between them. Needs neither root nor tcpdump: what the relay recorded is
written as the packets that would have carried it, to port 50051. `health.binpb` is what ``buf build`` would write.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from l7codecs.capture import CaptureWriter
from l7codecs.testing import Recording, Relay

HERE = Path(__file__).resolve().parent
SERVER = ("127.0.0.1", 50051)


@contextlib.contextmanager
def running_server(servicer: health.HealthServicer) -> Iterator[int]:
    """The port of a server."""
    server = grpc.server(ThreadPoolExecutor(4))
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(0).wait()


def play(servicer: health.HealthServicer, relay: Relay) -> None:
    """Ask once, ask for what is not there, and watch a change."""
    servicer.set("shop.Orders", health_pb2.HealthCheckResponse.SERVING)
    options = [("grpc.enable_http_proxy", 0)]
    with grpc.insecure_channel(relay.address, options, compression=grpc.Compression.Gzip) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        stub.Check(health_pb2.HealthCheckRequest(service="shop.Orders"))
        with contextlib.suppress(grpc.RpcError):
            stub.Check(health_pb2.HealthCheckRequest(service="shop.Carts"))
        watch = stub.Watch(health_pb2.HealthCheckRequest(service="shop.Orders"))
        next(watch)
        servicer.set("shop.Orders", health_pb2.HealthCheckResponse.NOT_SERVING)
        next(watch)
        watch.cancel()


def write(recording: Recording, path: Path) -> None:
    """Write the connection as a capture."""
    with CaptureWriter(path) as writer:
        connection = writer.open_connection(recording.opened, recording.client, SERVER)
        for piece in recording.pieces:
            connection.send(piece.time, piece.sender, piece.octets)
        connection.close(recording.closed, recording.ended[0])


def main() -> None:
    """Record."""
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "captures"
    servicer = health.HealthServicer()
    with running_server(servicer) as port, Relay(("127.0.0.1", port)) as relay:
        play(servicer, relay)
        (recording,) = relay.wait_closed()
        write(recording, directory / "health.pcap")
    files = descriptor_pb2.FileDescriptorSet()
    files.file.add().ParseFromString(health_pb2.DESCRIPTOR.serialized_pb)
    (directory / "health.binpb").write_bytes(files.SerializeToString())
    print(
        f"{directory / 'health.pcap'}: {(directory / 'health.pcap').stat().st_size} octets, grpcio {grpc.__version__}"
    )


if __name__ == "__main__":
    main()
