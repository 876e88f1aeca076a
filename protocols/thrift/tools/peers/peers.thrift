// The interface that the real peers of the tests speak. Lines with "uuid" are left out where a compiler does not know the type.

namespace java l7codecs.peers
namespace py l7peers
namespace go l7peers
namespace cpp l7peers
namespace js l7peers

enum Colour { RED = 1, BLUE = 300 }

typedef list<string> Names

struct Item {
  1: string name
  2: optional i32 count
  40: optional bool sold
  3: optional Colour colour
}

union Value {
  1: i64 number
  2: string text
  3: list<Value> values
  4: Item item
  5: binary octets
}

struct Tree {
  1: string name
  2: list<Tree> children
}

struct Everything {
  1: bool yes
  2: bool no
  3: i8 tiny
  4: i16 small
  5: i32 middle
  6: i64 large
  7: double real
  8: string text
  9: binary octets
  10: Colour colour
  11: list<bool> flags
  12: set<i64> numbers
  13: map<string, list<map<i32, Item>>> nested
  14: Value value
  300: Tree tree
  16: list<list<double>> reals
  17: map<Colour, Names> names
  18: map<bool, i8> signs
  19: set<string> none
  20: optional uuid id
  21: map<i16, set<i16>> pairs
}

exception Oops {
  1: string why
  2: i32 code
}

exception Denied {
  1: string reason
  2: Names details
}

service Base {
  string hello(1: string name)
  void nothing()
}

service Shop extends Base {
  Everything echo(1: Everything everything)
  Tree grow(1: Tree tree, 2: i32 levels)
  Value swap(1: Value value)
  Item find(1: string name) throws (1: Oops oops, 2: Denied denied)
  void check(1: string name) throws (1: Oops oops)
  oneway void fire(1: string what)
  i32 add(1: i32 left, 2: i32 right)
  Item missing()
  string failing(1: string why)
}

service Stall {
  string hello(1: string name)
  i64 count(1: list<i64> many)
}

// What clients have and no server: they can call what is not there.
service Bigger extends Shop {
  string notThere(1: string name)
}
