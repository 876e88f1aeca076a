package l7codecs.peers;

import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/** The service that the peers of this repository offer and call. A line that begins with "newer:" is there for consumers only. */
public interface Shop {
    String hello(String name);

    String hello(String name, int times);

    Order place(Order order, Map<String, List<Long>> quantities);

    Object any(Object value);

    byte[] binary(byte[] octets);

    void note(String text);

    int bare();

    String failing(String how) throws ShopException;

    String slow(String text, int ms);

    CompletableFuture<String> later(String text, int ms);

    String watch(String what, Listener listener);

    /* newer: String added(String text); */
    /* newer: String addedBare(); */
}
