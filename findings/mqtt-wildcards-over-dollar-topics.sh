#!/usr/bin/env bash
# MQTT 5 §4.7.2: a server must not match "#" or "+/b" with topics that begin with "$", so a client that wants $SYS/… subscribes to it as well. Its
# handlers are then chosen by a matcher of the library, and these send $SYS/… to the handler of "#" too: aiomqtt 2.5.1 (Topic.matches), and of
# npm mqtt-match 3.0.0 and mqtt-pattern 2.1.1. paho-mqtt 2.2.0 (topic_matches_sub) does not. mqtt-pattern moreover takes an empty level for
# none: "/finance" does not match "+/+", which is the very example of §4.7.1.3. Needs Node.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q paho-mqtt==2.2.0 aiomqtt==2.5.1
npm install --silent --no-audit --no-fund mqtt-match@3.0.0 mqtt-pattern@2.1.1 >/dev/null
cat >match.js <<'JS'
const match = require("mqtt-match");
const { matches } = require("mqtt-pattern");
const pairs = JSON.parse(process.argv[2]);
console.log(JSON.stringify([pairs.map(([filter, topic]) => match(filter, topic)), pairs.map(([filter, topic]) => matches(filter, topic))]));
JS
venv/bin/python - <<'PY'
import json, subprocess
from aiomqtt import Topic
from paho.mqtt.client import topic_matches_sub

# What the specification says of each, in §4.7.1 and §4.7.2.
said = {
    ("sport/#", "sport"): True,
    ("/+", "/finance"): True,
    ("+", "/finance"): False,
    ("+/+", "/finance"): True,
    ("$SYS/#", "$SYS/broker/uptime"): True,
    ("#", "$SYS/broker/uptime"): False,
    ("+/monitor/Clients", "$SYS/monitor/Clients"): False,
}
told = subprocess.run(["node", "match.js", json.dumps(list(said))], capture_output=True, text=True, check=True).stdout
by_match, by_pattern = json.loads(told)
found = {
    "paho-mqtt": [topic_matches_sub(*pair) for pair in said],
    "aiomqtt": [Topic(topic).matches(filter) for filter, topic in said],
    "mqtt-match": by_match,
    "mqtt-pattern": by_pattern,
}
wrong = {name: [pair for pair, answer in zip(said, answers) if answer != said[pair]] for name, answers in found.items()}
for name, pairs in wrong.items():
    print(f"{name}: other than the specification for {pairs}")
of_dollar = [pair for pair in said if pair[1].startswith("$") and not pair[0].startswith("$")]
assert wrong == {"paho-mqtt": [], "aiomqtt": of_dollar, "mqtt-match": of_dollar, "mqtt-pattern": [("+/+", "/finance"), *of_dollar]}
PY
