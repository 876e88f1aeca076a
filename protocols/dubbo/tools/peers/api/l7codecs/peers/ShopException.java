package l7codecs.peers;

/** What the interface declares. */
public class ShopException extends Exception {
    private static final long serialVersionUID = 1L;
    private int code;

    public ShopException() {}

    public ShopException(String message, int code) {
        super(message);
        this.code = code;
    }

    public int getCode() {
        return code;
    }
}
