package elsewhere;

/** A failure that is in another jar than the interface: its consumers do not know it. */
public class Stranger extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public Stranger(String message) {
        super(message);
    }

    /** The same, checked. */
    public static class Checked extends Exception {
        private static final long serialVersionUID = 1L;

        public Checked(String message) {
            super(message);
        }
    }

    /** Throw what nobody has declared. */
    @SuppressWarnings("unchecked")
    public static <E extends Throwable> void sneak(Throwable error) throws E {
        throw (E) error;
    }
}
