import com.sun.net.httpserver.HttpServer;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import l7codecs.peers.Denied;
import l7codecs.peers.Everything;
import l7codecs.peers.Item;
import l7codecs.peers.Bigger;
import l7codecs.peers.Oops;
import l7codecs.peers.Shop;
import l7codecs.peers.Stall;
import l7codecs.peers.Tree;
import l7codecs.peers.Value;
import org.apache.thrift.TApplicationException;
import org.apache.thrift.TBase;
import org.apache.thrift.TDeserializer;
import org.apache.thrift.TException;
import org.apache.thrift.TMultiplexedProcessor;
import org.apache.thrift.TProcessor;
import org.apache.thrift.TSerializer;
import org.apache.thrift.protocol.TBinaryProtocol;
import org.apache.thrift.protocol.TCompactProtocol;
import org.apache.thrift.protocol.TJSONProtocol;
import org.apache.thrift.protocol.TMultiplexedProtocol;
import org.apache.thrift.protocol.TProtocol;
import org.apache.thrift.protocol.TProtocolFactory;
import org.apache.thrift.server.THsHaServer;
import org.apache.thrift.server.TServer;
import org.apache.thrift.server.TThreadPoolServer;
import org.apache.thrift.transport.THttpClient;
import org.apache.thrift.transport.TMemoryBuffer;
import org.apache.thrift.transport.TMemoryInputTransport;
import org.apache.thrift.transport.TNonblockingServerSocket;
import org.apache.thrift.transport.TServerSocket;
import org.apache.thrift.transport.TSocket;
import org.apache.thrift.transport.TTransport;
import org.apache.thrift.transport.TTransportFactory;
import org.apache.thrift.transport.TZlibTransport;
import org.apache.thrift.transport.layered.TFramedTransport;

/** Apache Thrift for Java as client and server: see thrift_peers.py for what it is told. */
public final class Talk {
    static final HexFormat HEX = HexFormat.of();
    static final List<String> seen = new ArrayList<>();

    static TProtocolFactory protocols(String encoding) {
        return switch (encoding) {
            case "old-binary" -> new TBinaryProtocol.Factory(false, false);
            case "compact" -> new TCompactProtocol.Factory();
            case "json" -> new TJSONProtocol.Factory();
            default -> new TBinaryProtocol.Factory();
        };
    }

    static TTransportFactory transports(String transport) {
        return switch (transport) {
            case "framed" -> new TFramedTransport.Factory();
            case "zlib" -> new TZlibTransport.Factory();
            default -> new TTransportFactory();
        };
    }

    static String hex(String text) {
        return HEX.formatHex(text.getBytes(StandardCharsets.UTF_8));
    }

    static String text(String hex) {
        return new String(HEX.parseHex(hex), StandardCharsets.UTF_8);
    }

    static String written(TBase<?, ?> value) {
        try {
            return HEX.formatHex(new TSerializer(new TBinaryProtocol.Factory()).serialize(value));
        } catch (TException error) {
            throw new IllegalStateException(error);
        }
    }

    static <T extends TBase<?, ?>> T read(T value, String hex) throws TException {
        new TDeserializer(new TBinaryProtocol.Factory()).deserialize(value, HEX.parseHex(hex));
        return value;
    }

    static void see(String prefix, String method, String... arguments) {
        synchronized (seen) {
            seen.add(prefix + method + ":" + String.join(",", arguments));
        }
    }

    static final class ShopHandler implements Shop.Iface {
        public String hello(String name) {
            see("Shop.", "hello", hex(name));
            return "hello " + name;
        }

        public void nothing() {
            see("Shop.", "nothing");
        }

        public Everything echo(Everything everything) {
            see("Shop.", "echo", written(everything));
            return everything;
        }

        public Tree grow(Tree tree, int levels) {
            see("Shop.", "grow", written(tree), Integer.toString(levels));
            Tree made = tree;
            for (int number = 0; number < levels; number++) {
                made = new Tree("level " + number, List.of(made));
            }
            return made;
        }

        public Value swap(Value value) {
            see("Shop.", "swap", written(value));
            return Value.values(List.of(value));
        }

        public Item find(String name) throws Oops, Denied {
            see("Shop.", "find", hex(name));
            if (name.equals("oops")) {
                throw new Oops("it is gone", -7);
            }
            if (name.equals("denied")) {
                throw new Denied("nobody may", List.of("a", "b"));
            }
            return new Item(name).setCount(3);
        }

        public void check(String name) throws Oops {
            see("Shop.", "check", hex(name));
            if (name.equals("oops")) {
                throw new Oops("it is gone", -7);
            }
        }

        public void fire(String what) {
            see("Shop.", "fire", hex(what));
        }

        public int add(int left, int right) {
            see("Shop.", "add", Integer.toString(left), Integer.toString(right));
            return left + right;
        }

        public Item missing() {
            see("Shop.", "missing");
            return null;
        }

        public String failing(String why) {
            see("Shop.", "failing", hex(why));
            throw new IllegalStateException(why);
        }
    }

    static final class StallHandler implements Stall.Iface {
        public String hello(String name) {
            see("Stall.", "hello", hex(name));
            return "hello " + name;
        }

        public long count(List<Long> many) {
            see("Stall.", "count", String.join(";", many.stream().map(String::valueOf).toList()));
            return many.stream().mapToLong(Long::longValue).sum();
        }
    }

    static void serve(int port, String transport, String encoding, boolean multiplexed) throws Exception {
        TProcessor shop = new Shop.Processor<>(new ShopHandler());
        TMultiplexedProcessor many = new TMultiplexedProcessor();
        many.registerProcessor("Shop", shop);
        many.registerProcessor("Stall", new Stall.Processor<>(new StallHandler()));
        TProcessor processor = multiplexed ? many : shop;
        InetSocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
        if (transport.equals("http")) {
            HttpServer server = HttpServer.create(address, 10);
            server.createContext("/", exchange -> {
                try {
                    TMemoryBuffer answer = new TMemoryBuffer(256);
                    TTransport request = new TMemoryInputTransport(exchange.getRequestBody().readAllBytes());
                    processor.process(protocols(encoding).getProtocol(request), protocols(encoding).getProtocol(answer));
                    exchange.getResponseHeaders().add("Content-Type", "application/x-thrift");
                    exchange.sendResponseHeaders(200, answer.length() == 0 ? -1 : answer.length());
                    exchange.getResponseBody().write(answer.getArray(), 0, answer.length());
                } catch (TException error) {
                    exchange.sendResponseHeaders(500, -1);
                } finally {
                    exchange.close();
                }
            });
            server.start();
            return;
        }
        TServer server;
        if (transport.equals("framed")) {
            THsHaServer.Args options = new THsHaServer.Args(new TNonblockingServerSocket(address));
            options.processor(processor).protocolFactory(protocols(encoding));
            server = new THsHaServer(options.minWorkerThreads(1).maxWorkerThreads(1));
        } else {
            TThreadPoolServer.Args options = new TThreadPoolServer.Args(new TServerSocket(address));
            options.processor(processor).protocolFactory(protocols(encoding)).transportFactory(transports(transport));
            server = new TThreadPoolServer(options);
        }
        Thread thread = new Thread(server::serve);
        thread.setDaemon(true);
        thread.start();
        while (!server.isServing()) {
            Thread.sleep(1);
        }
    }

    /** One connection, and clients of services on it. */
    static final class Client {
        final TTransport transport;
        final Bigger.Client shop;
        final Stall.Client stall;

        Client(int port, String kind, String encoding, boolean multiplexed) throws TException {
            if (kind.equals("http")) {
                transport = new THttpClient("http://127.0.0.1:" + port + "/");
            } else {
                TSocket socket = new TSocket("127.0.0.1", port, 20_000);
                transport = transports(kind).getTransport(socket);
            }
            transport.open();
            TProtocol protocol = protocols(encoding).getProtocol(transport);
            shop = new Bigger.Client(multiplexed ? new TMultiplexedProtocol(protocol, "Shop") : protocol);
            stall = new Stall.Client(multiplexed ? new TMultiplexedProtocol(protocol, "Stall") : protocol);
        }

        String call(String name, String[] given) throws TException {
            String first = given.length > 0 ? given[0] : "";
            switch (name) {
                case "Shop.hello":
                    return "text:" + hex(shop.hello(text(first)));
                case "Shop.nothing":
                    shop.nothing();
                    return "void";
                case "Shop.echo":
                    return "struct:" + written(shop.echo(read(new Everything(), first)));
                case "Shop.grow":
                    return "struct:" + written(shop.grow(read(new Tree(), first), Integer.parseInt(given[1])));
                case "Shop.swap":
                    return "struct:" + written(shop.swap(read(new Value(), first)));
                case "Shop.find":
                    return "struct:" + written(shop.find(text(first)));
                case "Shop.check":
                    shop.check(text(first));
                    return "void";
                case "Shop.fire":
                    shop.fire(text(first));
                    return "oneway";
                case "Shop.add":
                    return "int:" + shop.add(Integer.parseInt(first), Integer.parseInt(given[1]));
                case "Shop.missing":
                    return "struct:" + written(shop.missing());
                case "Shop.failing":
                    return "text:" + hex(shop.failing(text(first)));
                case "Shop.notThere":
                    return "text:" + hex(shop.notThere(text(first)));
                case "Stall.hello":
                    return "text:" + hex(stall.hello(text(first)));
                default:
                    return "int:" + stall.count(Arrays.stream(first.split(";")).map(Long::valueOf).toList());
            }
        }
    }

    static List<String> calls(String[] words) {
        List<String> said = new ArrayList<>();
        Client client = null;
        for (String each : Arrays.copyOfRange(words, 6, words.length)) {
            int colon = each.indexOf(':');
            String[] given = colon + 1 < each.length() ? each.substring(colon + 1).split(",", -1) : new String[0];
            try {
                if (client == null) {
                    client = new Client(Integer.parseInt(words[1]), words[2], words[3], words[4].equals("1"));
                }
                said.add(client.call(each.substring(0, colon), given));
            } catch (Oops error) {
                said.add("Oops:" + written(error));
            } catch (Denied error) {
                said.add("Denied:" + written(error));
            } catch (TApplicationException error) {
                String message = error.getMessage();
                said.add("application:" + error.getType() + ":" + hex(message == null ? "" : message));
            } catch (Exception error) {
                said.add("lost:" + hex(String.valueOf(error)));
                if (client != null) {
                    client.transport.close();
                }
                client = null;
            }
        }
        if (client != null) {
            client.transport.close();
        }
        return said;
    }

    public static void main(String[] arguments) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.trim().split(" ");
            String answer;
            if (words[0].equals("serve")) {
                serve(Integer.parseInt(words[1]), words[2], words[3], words[4].equals("1"));
                answer = "serves";
            } else if (words[0].equals("call")) {
                answer = String.join(" ", calls(words));
            } else {
                synchronized (seen) {
                    answer = ("seen " + String.join(" ", seen)).trim();
                    seen.clear();
                }
            }
            System.out.println(answer);
            System.out.flush();
        }
        System.exit(0);
    }
}
