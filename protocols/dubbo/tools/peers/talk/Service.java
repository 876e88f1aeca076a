import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import elsewhere.Stranger;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import l7codecs.peers.Listener;
import l7codecs.peers.Order;
import l7codecs.peers.Shop;
import l7codecs.peers.ShopException;

/** The provider's side, which keeps what it has seen. */
final class Service implements Shop {
    private final String name;
    private final List<JsonObject> log;

    Service(String name, List<JsonObject> log) {
        this.name = name;
        this.log = log;
    }

    /** Keep a call; an attachment "want" is answered with attachments. */
    private void saw(String method, Object... arguments) {
        if (Heard.isFull(log)) {
            return;
        }
        Map<String, Object> attachments = new TreeMap<>(Context.seen());
        JsonObject found = new JsonObject();
        JsonArray given = new JsonArray();
        for (Object each : arguments) {
            given.add(Describe.of(each));
        }
        found.addProperty("method", method);
        found.add("arguments", given);
        found.add("attachments", Describe.attachments(attachments));
        synchronized (log) {
            log.add(found);
        }
        if (attachments.containsKey("want")) {
            Context.answer("by", name);
            Context.answer("CamelCase", "k\u00e9pt");
            Context.answer("number", 7);
            Context.answer("long", 1L << 40);
            Context.answer("flag", true);
            Context.answer("several", new ArrayList<>(List.of("a", 1)));
        }
    }

    @Override
    public String hello(String text) {
        saw("hello", text);
        return name + ": hello, " + text;
    }

    @Override
    public String hello(String text, int times) {
        saw("hello", text, times);
        return text.repeat(times);
    }

    @Override
    public Order place(Order order, Map<String, List<Long>> quantities) {
        saw("place", order, quantities);
        order.setId(order.getId() + 1);
        return order;
    }

    @Override
    public Object any(Object value) {
        saw("any", value);
        return value;
    }

    @Override
    public byte[] binary(byte[] octets) {
        saw("binary", (Object) octets);
        return octets;
    }

    @Override
    public void note(String text) {
        saw("note", text);
    }

    @Override
    public int bare() {
        saw("bare");
        return 42;
    }

    @Override
    public String failing(String how) throws ShopException {
        saw("failing", how);
        switch (how) {
            case "declared":
                throw new ShopException("sold out", 7);
            case "caused":
                ShopException error = new ShopException("sold out", 8);
                error.initCause(new IllegalStateException("no tea"));
                error.addSuppressed(new IllegalArgumentException("no milk"));
                throw error;
            case "runtime":
                throw new IllegalArgumentException("no such tea: \ud83d\ude00");
            case "silent":
                throw new IllegalStateException();
            case "stranger":
                throw new Stranger("from elsewhere");
            case "checked":
                Stranger.<RuntimeException>sneak(new Stranger.Checked("checked, from elsewhere"));
                return null;
            default:
                return null;
        }
    }

    @Override
    public String slow(String text, int ms) {
        saw("slow", text, ms);
        return name + (sleep(ms) ? ": " : ", interrupted: ") + text;
    }

    @Override
    public CompletableFuture<String> later(String text, int ms) {
        saw("later", text, ms);
        return CompletableFuture.supplyAsync(() -> {
            return name + (sleep(ms) ? ": " : ", interrupted: ") + text;
        });
    }

    @Override
    public String watch(String what, Listener listener) {
        saw("watch", what);
        return listener.changed(what, 1) + ", " + listener.changed(what, 2);
    }

    /** Whether nobody has interrupted it. */
    private static boolean sleep(int ms) {
        try {
            Thread.sleep(ms);
            return true;
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
            return false;
        }
    }
}
