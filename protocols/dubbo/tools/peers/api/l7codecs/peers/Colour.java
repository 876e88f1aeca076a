package l7codecs.peers;

public enum Colour {
    RED,
    GREEN {
        @Override
        public boolean isCold() {
            return true;
        }
    };

    public boolean isCold() {
        return false;
    }
}
