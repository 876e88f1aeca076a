package l7codecs.peers;

public class Child extends Base {
    private static final long serialVersionUID = 1L;
    private String name;
    private int y;

    public Child() {}

    public Child(String name, String parent, int x, int y) {
        super(parent, x);
        this.name = name;
        this.y = y;
    }
}
