"""A Kafka proxy for one tenant of a cluster: ``python kafka_proxy.py PREFIX LISTEN_PORT=NODE@PORT…``, one for each broker.

Clients of the port LISTEN_PORT get at the broker NODE on PORT. They know it as NODE + 100 at LISTEN_PORT, wherever an answer names it, and
the cluster has no topics, groups and transactional ids for them but those that begin with PREFIX, which they never see. While a broker is
away its port is closed: a client that is let in and gets no answer takes the broker for one of old times.
"""

import asyncio
import sys

from l7codecs import Data, Kind, L7Error, Sender, Status, Unsupported, open_session
from l7codecs_kafka import KafkaChanges, Names, Nodes

HOST = "127.0.0.1"
REQUEST = Kind.REQUEST  # Python 3.11 takes longer to look it up than to send on what came
RETRY = 0.1  # seconds until a broker that is away is looked for again
BUFFER = memoryview(bytearray(1 << 18))  # one for all: what is read into it is taken at once


class Leg(asyncio.BufferedProtocol):
    """One connection, the session that plays a side of it, and the leg to which all goes."""

    other = transport = None

    def __init__(self, door, side):
        self.door, self.changes = door, door.changes
        self.session, self.hears = open_session("kafka", endpoint=side), side.other

    def connection_made(self, transport):
        self.transport = transport

    def pause_writing(self):
        self.other.transport.pause_reading()

    def resume_writing(self):
        self.other.transport.resume_reading()

    def get_buffer(self, size):
        return BUFFER

    def buffer_updated(self, size):
        try:
            for event in self.session.receive(self.hears, BUFFER[:size]):
                try:
                    self.take(event)
                except Unsupported as error:  # a name or a version that is not for clients of a proxy
                    if event.kind is not REQUEST:
                        raise
                    self.write(self.session.reply_error(event, Status.PERMISSION_DENIED, str(error)))
        except L7Error as error:
            print("closing:", error, file=sys.stderr)
            self.transport.abort()
        self.other.write(self.other.session.pending_output())

    def take(self, event):
        self.other.session.put(event, None if event.__class__ is Data else self.changes)

    def write(self, octets):
        if octets and not self.transport.is_closing():
            self.transport.write(octets)

    def connection_lost(self, error):
        if self.other is not None:
            self.other.transport.close()  # what waits for an answer will have none: clients ask again elsewhere


class Client(Leg):
    """A client, which is read once there is a connection to the broker."""

    def __init__(self, door):
        super().__init__(door, Sender.SERVER)

    def connection_made(self, transport):
        super().connection_made(transport)
        transport.pause_reading()
        self.connecting = asyncio.create_task(self.connect())

    async def connect(self):
        try:
            _, server = await asyncio.get_running_loop().create_connection(
                lambda: Leg(self.door, Sender.CLIENT), HOST, self.door.broker_port
            )
        except OSError:
            self.transport.abort()
            self.door.close()
            return
        self.other, server.other = server, self
        if self.transport.is_closing():
            server.transport.close()
        else:
            self.transport.resume_reading()


class Door:
    """What listens for one broker."""

    def __init__(self, port, broker_port, changes):
        self.port, self.broker_port, self.changes = port, broker_port, changes
        self.shut = asyncio.Event()

    def close(self):
        self.shut.set()

    async def serve(self):
        loop = asyncio.get_running_loop()
        while True:
            await self.wait_for_broker()
            self.shut.clear()
            listener = await loop.create_server(lambda: Client(self), HOST, self.port)
            await self.shut.wait()
            listener.close()

    async def wait_for_broker(self):
        while True:
            try:
                _, writer = await asyncio.open_connection(HOST, self.broker_port)
            except OSError:
                await asyncio.sleep(RETRY)
            else:
                return writer.close()


async def main(prefix, *places):
    brokers = {}
    for place in places:
        port, _, broker = place.partition("=")
        node, _, broker_port = broker.partition("@")
        brokers[int(node)] = int(port), int(broker_port)
    names = Names.prefixed(prefix)
    nodes = Nodes.mapped({node: (node + 100, HOST, port) for node, (port, _) in brokers.items()})
    changes = KafkaChanges(topics=names, groups=names, transactional_ids=names, nodes=nodes)
    await asyncio.gather(*(Door(*ports, changes).serve() for ports in brokers.values()))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
