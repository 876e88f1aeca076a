package l7codecs.peers;

import java.io.Serializable;
import java.util.Date;
import java.util.List;
import java.util.Map;

public class Order implements Serializable {
    private static final long serialVersionUID = 1L;
    private long id;
    private String customer;
    private Colour colour;
    private Date created;
    private List<Line> lines;
    private Map<String, Object> notes;
    private Order parent;

    public Order() {}

    public Order(long id, String customer, Colour colour, Date created, List<Line> lines, Map<String, Object> notes) {
        this.id = id;
        this.customer = customer;
        this.colour = colour;
        this.created = created;
        this.lines = lines;
        this.notes = notes;
    }

    public long getId() {
        return id;
    }

    public void setId(long id) {
        this.id = id;
    }

    public String getCustomer() {
        return customer;
    }

    public void setCustomer(String customer) {
        this.customer = customer;
    }

    public Colour getColour() {
        return colour;
    }

    public void setColour(Colour colour) {
        this.colour = colour;
    }

    public Date getCreated() {
        return created;
    }

    public void setCreated(Date created) {
        this.created = created;
    }

    public List<Line> getLines() {
        return lines;
    }

    public void setLines(List<Line> lines) {
        this.lines = lines;
    }

    public Map<String, Object> getNotes() {
        return notes;
    }

    public void setNotes(Map<String, Object> notes) {
        this.notes = notes;
    }

    public Order getParent() {
        return parent;
    }

    public void setParent(Order parent) {
        this.parent = parent;
    }
}
