package l7codecs.peers;

import java.io.Serializable;

/** A parent, whose field `name` its child has too. */
public class Base implements Serializable {
    private static final long serialVersionUID = 1L;
    private String name;
    private int x;

    public Base() {}

    public Base(String name, int x) {
        this.name = name;
        this.x = x;
    }
}
