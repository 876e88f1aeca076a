// dubbo-go-hessian2 on values of a seed (write SEED COUNT) and on octets from outside (read): see HessianPeer.java for what is printed.
//
// What it reads, lines of the number of values and their octets, is told as a tree, without references.
package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand"
	"os"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	hessian "github.com/apache/dubbo-go-hessian2"
)

type Thing struct {
	Name  string
	Count int32
	Next  *Thing
	Any   interface{}
}

func (Thing) JavaClassName() string { return "a.Thing" }

func quote(text string) string {
	var out strings.Builder
	out.WriteByte('"')
	for _, unit := range utf16.Encode([]rune(text)) {
		if unit < 0x20 || unit > 0x7e || unit == '"' || unit == '\\' {
			fmt.Fprintf(&out, "\\u%04x", unit)
		} else {
			out.WriteByte(byte(unit))
		}
	}
	out.WriteByte('"')
	return out.String()
}

func bits(value float64) string {
	if math.IsNaN(value) {
		return "7ff8000000000000"
	}
	return fmt.Sprintf("%016x", math.Float64bits(value+0))
}

// Random values.

type maker struct {
	chance *rand.Rand
	things []*Thing
	lists  [][]interface{}
}

func (m *maker) text() string {
	sizes := []int{0, 1, 5, 31, 32, 33, 100, 1023, 1024}
	size := sizes[m.chance.Intn(len(sizes))]
	if m.chance.Intn(60) == 0 {
		size = 32760 + m.chance.Intn(9000)
	}
	alphabet := [][]rune{[]rune("abc"), []rune("aé€"), []rune("a😀𝄞"), []rune("\x00\x7f\u0080\u07ff\u0800")}[m.chance.Intn(4)]
	made := make([]rune, 0, size)
	for len(made) < size {
		made = append(made, alphabet[m.chance.Intn(len(alphabet))])
	}
	return string(made)
}

func (m *maker) scalar() interface{} {
	switch m.chance.Intn(8) {
	case 0:
		return nil
	case 1:
		return m.chance.Intn(2) == 1
	case 2:
		return int32(m.chance.Uint32()) >> uint(m.chance.Intn(32))
	case 3:
		return int64(m.chance.Uint64()) >> uint(m.chance.Intn(64))
	case 4:
		return []float64{0, 1, -128, 12.25, 32768, m.chance.NormFloat64() * 1e200, math.NaN(), math.Inf(-1), m.chance.Float64()}[m.chance.Intn(9)]
	case 5:
		return time.UnixMilli(m.chance.Int63n(200000000000000)).UTC()
	case 6:
		data := make([]byte, 1+m.chance.Intn(20))
		if m.chance.Intn(20) == 0 {
			data = make([]byte, 1+m.chance.Intn(20000))
		}
		m.chance.Read(data)
		return data
	default:
		return m.text()
	}
}

func (m *maker) value(depth int) interface{} {
	if len(m.things) > 0 && m.chance.Intn(9) == 0 {
		return m.things[m.chance.Intn(len(m.things))]
	}
	if len(m.lists) > 0 && m.chance.Intn(9) == 0 {
		return m.lists[m.chance.Intn(len(m.lists))]
	}
	if depth == 0 || m.chance.Intn(3) > 0 {
		return m.scalar()
	}
	switch m.chance.Intn(3) {
	case 0:
		thing := &Thing{Name: m.text(), Count: int32(m.chance.Uint32())}
		m.things = append(m.things, thing)
		if m.chance.Intn(2) == 0 {
			thing.Next = m.things[m.chance.Intn(len(m.things))]
		}
		thing.Any = m.value(depth - 1)
		return thing
	case 1:
		// An empty slice is not counted by this library, though readers count each list: so there is none here.
		list := make([]interface{}, 1+m.chance.Intn(12))
		for i := range list {
			list[i] = m.value(depth - 1)
		}
		m.lists = append(m.lists, list)
		return list
	default:
		made := map[interface{}]interface{}{}
		for i := m.chance.Intn(4); i >= 0; i-- {
			if m.chance.Intn(4) == 0 {
				made[int32(i)] = m.value(depth - 1)
			} else {
				made[m.text()] = m.value(depth - 1)
			}
		}
		return made
	}
}

// What values are.

type teller struct {
	tokens  []string
	numbers map[interface{}]int
	tree    bool
}

func (t *teller) say(format string, parts ...interface{}) {
	t.tokens = append(t.tokens, fmt.Sprintf(format, parts...))
}

func (t *teller) seen(key interface{}) bool {
	if t.tree {
		return false
	}
	if number, found := t.numbers[key]; found {
		t.say(`["reference",%d]`, number)
		return true
	}
	t.numbers[key] = len(t.numbers)
	return false
}

func (t *teller) value(value interface{}) {
	switch found := value.(type) {
	case nil:
		t.say(`["null"]`)
	case bool:
		t.say(`["bool",%t]`, found)
	case int32:
		t.say(`["int",%d]`, found)
	case int64:
		t.say(`["long",%d]`, found)
	case float64:
		t.say(`["double","%s"]`, bits(found))
	case string:
		t.say(`["str",%s]`, quote(found))
	case []byte:
		t.say(`["bytes","%s"]`, hex.EncodeToString(found))
	case time.Time:
		t.say(`["date",%d]`, found.UnixMilli())
	case *Thing:
		if found == nil {
			t.say(`["null"]`)
		} else if !t.seen(found) {
			t.say(`["object","a.Thing",4]`)
			t.say(`["field","any"]`)
			t.value(found.Any)
			t.say(`["field","count"]`)
			t.value(found.Count)
			t.say(`["field","name"]`)
			t.value(found.Name)
			t.say(`["field","next"]`)
			t.value(found.Next)
		}
	case []interface{}:
		if len(found) == 0 || !t.seen(reflect.ValueOf(found).Pointer()) {
			t.say(`["list","",%d]`, len(found))
			for _, item := range found {
				t.value(item)
			}
		}
	case map[interface{}]interface{}:
		if !t.seen(reflect.ValueOf(found).Pointer()) {
			t.say(`["map",%d]`, len(found))
			type entry struct {
				order      []uint16
				key, value interface{}
			}
			entries := []entry{}
			for key, item := range found {
				kind := "str"
				switch key.(type) {
				case int32:
					kind = "int"
				case int64:
					kind = "long"
				}
				entries = append(entries, entry{utf16.Encode([]rune(fmt.Sprintf("%s %v", kind, key))), key, item})
			}
			sort.Slice(entries, func(i, j int) bool { return less(entries[i].order, entries[j].order) })
			for _, each := range entries {
				t.value(each.key)
				t.value(each.value)
			}
		}
	default:
		t.say(`["%T"]`, value)
	}
}

func less(a, b []uint16) bool {
	for i := 0; i < len(a) && i < len(b); i++ {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return len(a) < len(b)
}

func (t *teller) told() string { return "[" + strings.Join(t.tokens, ",") + "]" }

func main() {
	hessian.RegisterPOJO(&Thing{})
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	if os.Args[1] == "write" {
		seed, _ := strconv.ParseInt(os.Args[2], 10, 64)
		count, _ := strconv.Atoi(os.Args[3])
		for i := 0; i < count; i++ {
			make := &maker{chance: rand.New(rand.NewSource(seed*1000003 + int64(i)))}
			encoder := hessian.NewEncoder()
			tell := &teller{numbers: map[interface{}]int{}}
			for j := make.chance.Intn(6); j >= 0; j-- {
				value := make.value(4)
				if err := encoder.Encode(value); err != nil {
					panic(err)
				}
				tell.value(value)
			}
			fmt.Fprintf(out, "%s\t%s\n", hex.EncodeToString(encoder.Buffer()), tell.told())
		}
		return
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 1<<28)
	for lines.Scan() {
		parts := strings.SplitN(lines.Text(), " ", 2)
		count, _ := strconv.Atoi(parts[0])
		octets, _ := hex.DecodeString(parts[1])
		fmt.Fprintln(out, read(count, octets))
	}
}

func read(count int, octets []byte) (line string) {
	defer func() {
		if failure := recover(); failure != nil {
			line = fmt.Sprintf("! %q", fmt.Sprint(failure))
		}
	}()
	decoder := hessian.NewDecoder(octets)
	tell := &teller{tree: true}
	for ; count > 0; count-- {
		value, err := decoder.Decode()
		if err != nil {
			return fmt.Sprintf("! %q", strings.SplitN(err.Error(), "\n", 2)[0])
		}
		tell.value(value)
	}
	return tell.told()
}
