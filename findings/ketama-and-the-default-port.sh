#!/usr/bin/env bash
# Consistent hashing over memcached servers: libmemcached (pylibmc 1.6.3, ketama_weighted), uhashring 2.5 (ketama), npm hashring 3.2.0 (below npm
# memcached) and spymemcached 2.12.3 (ketama) take the same server for every key, until all servers listen on port 11211, as in production:
# libmemcached leaves that port out of the names that it hashes, and the others do not. Then they agree on a third of the keys of three
# servers, which is chance: each language has a cache of its own, and a delete by one leaves the other's copy. pylibmc's `ketama` without
# `_weighted` agrees with none of them on any port. The servers here are sockets on loopback (127.0.0.2 to 127.0.0.4) that have nothing.
# Needs Node, Java and Maven.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q pylibmc==1.6.3 uhashring==2.5
npm install --silent --no-audit --no-fund hashring@3.2.0 >/dev/null
mvn -q org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy -Dartifact=net.spy:spymemcached:2.12.3 -DoutputDirectory=lib
cat >Choose.java <<'JAVA'
import java.util.Arrays;
import java.util.logging.Level;
import java.util.logging.Logger;
import net.spy.memcached.AddrUtil;
import net.spy.memcached.KetamaConnectionFactory;
import net.spy.memcached.MemcachedClient;

public class Choose {
    public static void main(String[] arguments) throws Exception {
        System.setProperty("net.spy.log.LoggerImpl", "net.spy.memcached.compat.log.SunLogger");
        Logger.getLogger("").setLevel(Level.OFF);
        MemcachedClient client = new MemcachedClient(new KetamaConnectionFactory(), AddrUtil.getAddresses(arguments[0]));
        for (String key : Arrays.copyOfRange(arguments, 1, arguments.length))
            System.out.println(client.getNodeLocator().getPrimary(key).getSocketAddress().toString().replaceFirst(".*/", ""));
        System.exit(0);
    }
}
JAVA
javac -cp 'lib/*' Choose.java
cat >choose.js <<'JS'
const HashRing = require("hashring");
const [servers, ...keys] = process.argv.slice(2);
const ring = new HashRing(servers.split(" "));
for (const key of keys) console.log(ring.get(key));
JS
venv/bin/python - <<'PY'
import socket, subprocess, threading

import pylibmc
from uhashring import HashRing

keys = [f"user:{number}" for number in range(300)]
asked = {}


def serve(listener, server):
    """Keep which key was asked for at this server, and have none of them."""
    while True:
        try:
            connection = listener.accept()[0]
        except OSError:
            return
        threading.Thread(target=answer, args=(connection, server), daemon=True).start()


def answer(connection, server):
    for line in connection.makefile("rb"):
        if line.startswith(b"get"):
            asked[line.split()[1].decode()] = server
        connection.sendall(b"END\r\n" if line.startswith(b"get") else b"VERSION 1.6.18\r\n")


def by_pylibmc(servers, behavior):
    asked.clear()
    client = pylibmc.Client(servers, behaviors={behavior: True})
    for key in keys:
        client.get(key)
    return [asked[key] for key in keys]


def by(command, servers):
    told = subprocess.run([*command, " ".join(servers), *keys], capture_output=True, text=True, check=True).stdout.split()
    assert len(told) == len(keys)
    return told


for ports in (None, 11211):
    listeners = [socket.create_server((f"127.0.0.{host}", ports or 0)) for host in (2, 3, 4)]
    servers = ["{}:{}".format(*listener.getsockname()) for listener in listeners]
    for listener, server in zip(listeners, servers):
        threading.Thread(target=serve, args=(listener, server), daemon=True).start()
    weighted, plain = by_pylibmc(servers, "ketama_weighted"), by_pylibmc(servers, "ketama")
    others = {
        "uhashring": [HashRing(servers, hash_fn="ketama").get_node(key) for key in keys],
        "npm hashring": by(["node", "choose.js"], servers),
        "spymemcached": by(["java", "-cp", "lib/*:.", "Choose"], servers),
    }
    print("servers:", *servers)
    for name, chosen in others.items():
        as_weighted, as_plain = (sum(one == other for one, other in zip(chosen, ours)) for ours in (weighted, plain))
        print(f"  {name}: {as_weighted} of {len(keys)} keys where pylibmc has them by ketama_weighted, {as_plain} by ketama")
        assert chosen == others["uhashring"] and as_plain < 150
        assert as_weighted < 150 if ports else as_weighted == len(keys)
    for listener in listeners:
        listener.close()
PY
