"""The services of peers.thrift, as both libraries of Python serve them: the classes of either have the same names."""


class Handler:
    """The services, which remember what they saw."""

    def __init__(self, prefix, types, written, seen):
        """`types` has the interface's classes, `written` makes a struct hex, `seen` is where it is noted."""
        self.prefix = prefix
        self.types = types
        self.written = written
        self.seen = seen

    def see(self, method, *arguments):
        self.seen.append(f"{self.prefix}{method}:{','.join(arguments)}")

    def hello(self, name):
        self.see("hello", name.encode().hex())
        return f"hello {name}"

    def nothing(self):
        self.see("nothing")

    def echo(self, everything):
        self.see("echo", self.written(everything))
        return everything

    def grow(self, tree, levels):
        self.see("grow", self.written(tree), str(levels))
        for number in range(levels):
            tree = self.types.Tree(name=f"level {number}", children=[tree])
        return tree

    def swap(self, value):
        self.see("swap", self.written(value))
        return self.types.Value(values=[value])

    def find(self, name):
        self.see("find", name.encode().hex())
        if name == "oops":
            raise self.types.Oops(why="it is gone", code=-7)
        if name == "denied":
            raise self.types.Denied(reason="nobody may", details=["a", "b"])
        return self.types.Item(name=name, count=3)

    def check(self, name):
        self.see("check", name.encode().hex())
        if name == "oops":
            raise self.types.Oops(why="it is gone", code=-7)

    def fire(self, what):
        self.see("fire", what.encode().hex())

    def add(self, left, right):
        self.see("add", str(left), str(right))
        return left + right

    def missing(self):
        self.see("missing")

    def failing(self, why):
        self.see("failing", why.encode().hex())
        raise RuntimeError(why)

    def count(self, many):
        self.see("count", ";".join(map(str, many)))
        return sum(many)
