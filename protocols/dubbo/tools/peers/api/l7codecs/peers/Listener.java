package l7codecs.peers;

/** What a consumer offers its provider, as an argument: the provider calls it on the connection that the consumer has opened. */
public interface Listener {
    String changed(String what, int number);
}
