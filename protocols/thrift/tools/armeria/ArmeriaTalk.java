import com.linecorp.armeria.client.ClientFactory;
import com.linecorp.armeria.client.thrift.ThriftClients;
import com.linecorp.armeria.server.Server;
import com.linecorp.armeria.server.thrift.THttpService;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import l7codecs.armeria.Gone;
import l7codecs.armeria.Shop;
import l7codecs.armeria.Wider;
import org.apache.thrift.TApplicationException;

/**
 * Clients and servers of Armeria, which read lines and answer each with one. A CALL is method:text.
 *
 *   serve                       the port
 *   call SCHEME PORT CALL…      what came of each; SCHEME is tbinary+h1c, tcompact+h1c, tjson+h1c, ttext+h1c
 *   seen                        what servers saw since they were asked last
 */
public final class ArmeriaTalk {
    private static final List<String> SEEN = new ArrayList<>();

    private static final class Service implements Shop.Iface {
        private static String see(String name, String text) {
            synchronized (SEEN) {
                SEEN.add(name + ":" + text);
            }
            return text;
        }

        @Override
        public String hello(String name) {
            return "hi " + see("hello", name);
        }

        @Override
        public String declared(String text) throws Gone {
            Gone gone = new Gone();
            gone.setWhy(see("declared", text));
            throw gone;
        }

        @Override
        public String failing(String text) {
            throw new IllegalStateException("secret " + see("failing", text));
        }

        @Override
        public void nothing() {
            see("nothing", "");
        }

        @Override
        public void fire(String name) {
            see("fire", name);
        }
    }

    private static String call(Wider.Iface client, String word) {
        String name = word.substring(0, word.indexOf(':'));
        String text = word.substring(name.length() + 1);
        try {
            switch (name) {
                case "hello":
                    return "text:" + client.hello(text);
                case "declared":
                    return "text:" + client.declared(text);
                case "failing":
                    return "text:" + client.failing(text);
                case "nothing":
                    client.nothing();
                    return "void";
                case "fire":
                    client.fire(text);
                    return "oneway";
                default:
                    return "text:" + client.notThere(text);
            }
        } catch (Gone gone) {
            return "declared:" + gone.getWhy();
        } catch (TApplicationException error) {
            return "application:" + error.getType() + ":" + error.getMessage();
        } catch (Throwable error) {
            return "failed:" + error;
        }
    }

    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ");
            String answer = "?";
            if (words[0].equals("serve")) {
                Server server = Server.builder()
                    .http(new InetSocketAddress("127.0.0.1", 0))
                    .service("/shop", THttpService.of(new Service()))
                    .build();
                server.start().join();
                answer = String.valueOf(server.activeLocalPort());
            } else if (words[0].equals("call")) {
                try (ClientFactory factory = ClientFactory.builder().build()) {  // a connection of its own
                    Wider.Iface client = ThriftClients.builder(words[1] + "://127.0.0.1:" + words[2] + "/shop")
                        .factory(factory)
                        .build(Wider.Iface.class);
                    List<String> said = new ArrayList<>();
                    for (int at = 3; at < words.length; at++) {
                        said.add(call(client, words[at]));
                    }
                    answer = String.join("\t", said);
                }
            } else if (words[0].equals("seen")) {
                synchronized (SEEN) {
                    answer = String.join("\t", SEEN);
                    SEEN.clear();
                }
            }
            System.out.println(answer);
            System.out.flush();
        }
        System.exit(0);
    }
}
