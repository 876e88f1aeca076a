#!/usr/bin/env bash
# npm dns-packet 5.6.1, on which multicast-dns and bonjour-service stand: a label that has a dot in it, as names of services may (RFC 6763 §4.1.1
# has them not restricted; "Shop v1.2._ipp._tcp.local"), is joined with the others by a bare dot. Asked about by the name that it gave, its query
# has two labels, "Shop v1" and "2", which nobody has: the printer is seen in the list, and never found. dnspython 2.9.2 and dnslib 0.9.26 keep
# the one label, dnspython's text has it escaped (RFC 1035 §5.1), and "\." in a name given to dns-packet is a backslash and two labels. Needs Node.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q dnspython==2.9.2 dnslib==0.9.26
npm install --silent --no-audit --no-fund dns-packet@5.6.1 >/dev/null
cat >ask.js <<'JS'
const { decode, encode } = require("dns-packet");
const [{ data: name }] = decode(Buffer.from(process.argv[2], "hex")).answers;
const query = (name) => encode({ type: "query", id: 0, questions: [{ type: "SRV", name }] }).toString("hex");
console.log(JSON.stringify({ name, queries: [query(name), query(name.replace("v1.2", "v1\\.2"))] }));
JS
venv/bin/python - <<'PY'
import json, subprocess
import dns.message, dns.name, dns.rrset, dnslib

instance = dns.name.Name([b"Shop v1.2", b"_ipp", b"_tcp", b"local", b""])
answer = dns.message.Message(id=0)
answer.flags = dns.flags.QR | dns.flags.AA
answer.answer.append(dns.rrset.from_text("_ipp._tcp.local.", 120, "IN", "PTR", instance.to_text()))
wire = answer.to_wire()
by_dnspython = dns.message.from_wire(wire).answer[0][0].target
by_dnslib = dnslib.DNSRecord.parse(wire).rr[0].rdata.label.label
told = json.loads(subprocess.run(["node", "ask.js", wire.hex()], capture_output=True, text=True, check=True).stdout)
asked = [dns.message.from_wire(bytes.fromhex(query)).question[0].name.labels for query in told["queries"]]
print("dnspython reads:   ", by_dnspython.labels, "written as", by_dnspython)
print("dnslib reads:      ", by_dnslib)
print("dns-packet reads:  ", told["name"])
print("and asks for:      ", asked[0])
print("or, with the dot escaped:", asked[1])
assert by_dnspython == instance and by_dnslib == instance.labels[:-1]
assert told["name"] == "Shop v1.2._ipp._tcp.local"
assert asked[0] == (b"Shop v1", b"2", *instance.labels[1:]) and asked[1] == (b"Shop v1\\", b"2", *instance.labels[1:])
PY
