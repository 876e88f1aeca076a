import com.twitter.finagle.ListeningServer;
import com.twitter.finagle.Service;
import com.twitter.finagle.Thrift;
import com.twitter.finagle.ThriftMux;
import com.twitter.finagle.context.Contexts;
import com.twitter.finagle.context.MarshalledContext;
import com.twitter.finagle.thrift.ThriftClientRequest;
import com.twitter.io.Buf;
import com.twitter.io.Bufs;
import com.twitter.util.Await;
import com.twitter.util.Duration;
import com.twitter.util.Future;
import com.twitter.util.Promise;
import com.twitter.util.Return;
import com.twitter.util.Try;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import org.apache.thrift.TApplicationException;
import org.apache.thrift.TException;
import org.apache.thrift.protocol.TBinaryProtocol;
import org.apache.thrift.protocol.TField;
import org.apache.thrift.protocol.TMessage;
import org.apache.thrift.protocol.TMessageType;
import org.apache.thrift.protocol.TProtocol;
import org.apache.thrift.protocol.TProtocolUtil;
import org.apache.thrift.protocol.TStruct;
import org.apache.thrift.protocol.TType;
import org.apache.thrift.transport.TMemoryBuffer;
import org.apache.thrift.transport.TMemoryInputTransport;

/**
 * Clients and servers of Finagle, which read lines and answer each with one. KIND is mux or thrift, a CALL is method:text.
 *
 *   serve KIND                                  the port
 *   call KIND PORT TIMEOUT_MS TENANT CALL…      what came of each, one after the other; TENANT is a context, or -
 *   together KIND PORT TIMEOUT_MS TENANT CALL…  the same, all at once
 *   seen                                        what servers saw since they were asked last: method:text:tenant
 *   drain                                       the latest server ends in order; said once it has
 */
public final class FinagleTalk {
    private static final class Tenant extends MarshalledContext.Key<String> {
        Tenant(MarshalledContext outer) {
            outer.super("l7codecs.tenant");
        }

        @Override
        public Buf marshal(String value) {
            return Bufs.utf8Buf(value);
        }

        @Override
        public Try<String> tryUnmarshal(Buf octets) {
            return new Return<>(Bufs.asUtf8String(octets));
        }
    }

    private static final Tenant TENANT = new Tenant(Contexts.broadcast());
    private static final List<String> SEEN = new ArrayList<>();
    private static final List<ListeningServer> SERVERS = new ArrayList<>();
    private static int number = 100;

    private static byte[] message(String name, byte kind, int seqid, int field, String text) throws TException {
        TMemoryBuffer memory = new TMemoryBuffer(64);
        TProtocol out = new TBinaryProtocol(memory);
        out.writeMessageBegin(new TMessage(name, kind, seqid));
        if (kind == TMessageType.EXCEPTION) {
            new TApplicationException(field, text).write(out);
        } else {
            out.writeStructBegin(new TStruct("any"));
            out.writeFieldBegin(new TField("any", field == 1 && kind == TMessageType.REPLY ? TType.STRUCT : TType.STRING, (short) field));
            if (field == 1 && kind == TMessageType.REPLY) {  // a declared exception
                out.writeFieldBegin(new TField("why", TType.STRING, (short) 1));
                out.writeString(text);
                out.writeFieldStop();
            } else {
                out.writeString(text);
            }
            out.writeFieldStop();
        }
        out.writeMessageEnd();
        return java.util.Arrays.copyOf(memory.getArray(), memory.length());
    }

    private static final class Shop extends Service<byte[], byte[]> {
        @Override
        public Future<byte[]> apply(byte[] octets) {
            try {
                TProtocol in = new TBinaryProtocol(new TMemoryInputTransport(octets));
                TMessage asked = in.readMessageBegin();
                in.readFieldBegin();
                String text = in.readString();
                scala.Option<String> tenant = Contexts.broadcast().get(TENANT);
                synchronized (SEEN) {
                    SEEN.add(asked.name + ":" + text + ":" + (tenant.isDefined() ? tenant.get() : "-"));
                }
                switch (asked.name) {
                    case "hello":
                        return Future.value(message("hello", TMessageType.REPLY, asked.seqid, 0, "hi " + text));
                    case "declared":
                        return Future.value(message("declared", TMessageType.REPLY, asked.seqid, 1, text));
                    case "fire":
                        return Future.value(new byte[0]);
                    case "failing":
                        return Future.exception(new RuntimeException("secret " + text));
                    case "slow": {
                        Promise<byte[]> later = new Promise<>();
                        byte[] answer = message("slow", TMessageType.REPLY, asked.seqid, 0, "slept " + text);
                        Thread thread = new Thread(() -> {
                            try {
                                Thread.sleep(Integer.parseInt(text));
                            } catch (InterruptedException error) {
                                throw new IllegalStateException(error);
                            }
                            later.updateIfEmpty(new Return<>(answer));
                        });
                        thread.setDaemon(true);
                        thread.start();
                        return later;
                    }
                    default:
                        return Future.value(message(asked.name, TMessageType.EXCEPTION, asked.seqid, 1, "Invalid method name: '" + asked.name + "'"));
                }
            } catch (TException error) {
                return Future.exception(error);
            }
        }
    }

    private static String result(byte[] octets) throws TException {
        if (octets.length == 0) {
            return "oneway";
        }
        TProtocol in = new TBinaryProtocol(new TMemoryInputTransport(octets));
        TMessage answer = in.readMessageBegin();
        if (answer.type == TMessageType.EXCEPTION) {
            TApplicationException error = new TApplicationException();
            error.read(in);
            return "application:" + error.getType() + ":" + error.getMessage();
        }
        TField field = in.readFieldBegin();
        if (field.type == TType.STRING) {
            return "text:" + in.readString();
        }
        in.readFieldBegin();
        return "declared:" + in.readString();
    }

    private static String await(Future<byte[]> future) throws Exception {
        try {
            return result(Await.result(future, Duration.fromSeconds(20)));
        } catch (Throwable error) {
            return "failed:" + error.getClass().getSimpleName() + ":" + String.valueOf(error.getMessage()).replaceAll("\\s+", " ");
        }
    }

    private static String call(String[] words, boolean together) throws Exception {
        String to = "127.0.0.1:" + words[2];
        Duration patience = Duration.fromMilliseconds(Long.parseLong(words[3]));
        Service<ThriftClientRequest, byte[]> service = words[1].equals("mux")
            ? ThriftMux.client().withRequestTimeout(patience).newService(to, "shop")
            : Thrift.client().withRequestTimeout(patience).newService(to, "shop");
        List<Future<byte[]>> waits = new ArrayList<>();
        List<String> said = new ArrayList<>();
        for (int at = 5; at < words.length; at++) {
            String name = words[at].substring(0, words[at].indexOf(':'));
            String text = words[at].substring(name.length() + 1);
            boolean oneway = name.equals("fire");
            byte[] octets = message(name, oneway ? TMessageType.ONEWAY : TMessageType.CALL, ++number, 1, text);
            scala.Function0<Future<byte[]>> ask = () -> service.apply(new ThriftClientRequest(octets, oneway));
            Future<byte[]> future = words[4].equals("-") ? ask.apply() : Contexts.broadcast().let(TENANT, words[4], ask);
            waits.add(future);
            if (!together) {
                said.add(await(future));
            }
        }
        for (Future<byte[]> future : waits) {
            if (together) {
                said.add(await(future));
            }
        }
        Thread.sleep(100);
        Await.result(service.close(), Duration.fromSeconds(20));
        return String.join("\t", said);
    }

    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ");
            String answer = "?";
            switch (words[0]) {
                case "serve": {
                    InetSocketAddress loopback = new InetSocketAddress("127.0.0.1", 0);
                    ListeningServer server = words[1].equals("mux")
                        ? ThriftMux.server().serve(loopback, new Shop())
                        : Thrift.server().serve(loopback, new Shop());
                    SERVERS.add(server);
                    answer = String.valueOf(((InetSocketAddress) server.boundAddress()).getPort());
                    break;
                }
                case "call":
                case "together":
                    answer = call(words, words[0].equals("together"));
                    break;
                case "seen":
                    synchronized (SEEN) {
                        answer = String.join("\t", SEEN);
                        SEEN.clear();
                    }
                    break;
                case "drain":
                    Await.result(SERVERS.remove(SERVERS.size() - 1).close(Duration.fromSeconds(10)), Duration.fromSeconds(20));
                    answer = "drained";
                    break;
                default:
                    break;
            }
            System.out.println(answer);
            System.out.flush();
        }
        System.exit(0);
    }
}
