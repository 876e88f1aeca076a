#!/usr/bin/env bash
# A Java class and its subclass each have a field `name`. Caucho's hessian 4.0.66 and Dubbo's hessian-lite 4.0.4 write both, under one name twice in
# the definition of the class, and read one, without an error: the parent's is null at the peer. The one that is left is in hessian-lite the
# subclass's own, and in Caucho's, which writes the subclass's first, the parent's value in the subclass's field: bookName() says what
# itemName() said. Java's own serialization has both. Needs Java and Maven.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for artifact in com.caucho:hessian:4.0.66 org.apache.dubbo:hessian-lite:4.0.4; do
    mvn -q org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy -Dartifact="$artifact" -DoutputDirectory="lib/${artifact%%:*}"
done
mkdir shop
cat >shop/Item.java <<'JAVA'
package shop;

public class Item implements java.io.Serializable {
    private String name;

    public Item(String name) { this.name = name; }

    public String itemName() { return name; }
}
JAVA
cat >shop/Book.java <<'JAVA'
package shop;

public class Book extends Item {
    private String name;

    public Book(String ofItem, String ofBook) {
        super(ofItem);
        name = ofBook;
    }

    public String bookName() { return name; }
}
JAVA
for package in com.caucho com.alibaba.com.caucho; do
    mkdir -p "by/$package"
    cat >"by/$package/Read.java" <<JAVA
import $package.hessian.io.Hessian2Input;
import $package.hessian.io.Hessian2Output;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import shop.Book;

public class Read {
    public static void main(String[] arguments) throws Exception {
        var octets = new ByteArrayOutputStream();
        var output = new Hessian2Output(octets);
        output.writeObject(new Book("of the item", "of the book"));
        output.flush();
        String text = octets.toString(StandardCharsets.ISO_8859_1);
        var input = new Hessian2Input(new ByteArrayInputStream(octets.toByteArray()));
        var book = (Book) input.readObject();
        var plain = new ByteArrayOutputStream();
        new java.io.ObjectOutputStream(plain).writeObject(new Book("of the item", "of the book"));
        var own = (Book) new java.io.ObjectInputStream(new ByteArrayInputStream(plain.toByteArray())).readObject();
        if (!own.itemName().equals("of the item") || !own.bookName().equals("of the book")) throw new AssertionError();
        System.out.println((text.contains("of the item") && text.contains("of the book")) + ": " + book.itemName() + ", " + book.bookName());
    }
}
JAVA
done
javac shop/*.java
show() {
    javac -cp "lib/$1/*:." -d "by/$1" "by/$2/Read.java"
    java -cp "lib/$1/*:by/$1:." Read 2>/dev/null
}
caucho=$(show com.caucho com.caucho)
dubbo=$(show org.apache.dubbo com.alibaba.com.caucho)
printf '%s\n' "are both on the wire: itemName(), bookName() as read" "caucho 4.0.66: $caucho" "hessian-lite 4.0.4: $dubbo"
test "$caucho" = "true: null, of the item"
test "$dubbo" = "true: null, of the book"
