package l7codecs.peers;

import java.io.Serializable;
import java.math.BigDecimal;

public class Line implements Serializable {
    private static final long serialVersionUID = 1L;
    private String product;
    private int count;
    private BigDecimal price;

    public Line() {}

    public Line(String product, int count, BigDecimal price) {
        this.product = product;
        this.count = count;
        this.price = price;
    }

    public String getProduct() {
        return product;
    }

    public void setProduct(String product) {
        this.product = product;
    }

    public int getCount() {
        return count;
    }

    public void setCount(int count) {
        this.count = count;
    }

    public BigDecimal getPrice() {
        return price;
    }

    public void setPrice(BigDecimal price) {
        this.price = price;
    }
}
