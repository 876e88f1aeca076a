package l7codecs.peers;

/** A service that nobody offers. */
public interface Stall extends Shop {}
