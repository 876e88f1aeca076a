#!/usr/bin/env bash
# W3C Trace Context: the flags of a traceparent are two hexadecimal digits. @opentelemetry/core 2.12.1 for JavaScript passes on the flags that it was
# given by writing "0" and then the number: all is well up to 0f, and flags ff, 10 or 83 leave as "0ff", "010" and "083". That header is no
# traceparent, so the next service, here Python (opentelemetry-api 1.45.2) and JavaScript itself, begins a trace of its own: the trace is torn
# behind the JavaScript service. The bits above 03 are left for later versions, and a header that has them is valid. Python passes on two
# digits. Needs Node.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q opentelemetry-api==1.45.2
npm install --silent --no-audit --no-fund @opentelemetry/api@1.9.1 @opentelemetry/core@2.12.1 >/dev/null
cat >pass.js <<'JS'
const { ROOT_CONTEXT, defaultTextMapGetter, defaultTextMapSetter } = require("@opentelemetry/api");
const propagator = new (require("@opentelemetry/core").W3CTraceContextPropagator)();
const passed = process.argv.slice(2).map((traceparent) => {
  const carrier = {};
  propagator.inject(propagator.extract(ROOT_CONTEXT, { traceparent }, defaultTextMapGetter), carrier, defaultTextMapSetter);
  return carrier.traceparent ?? null;
});
console.log(JSON.stringify(passed));
JS
venv/bin/python - <<'PY'
import json, subprocess
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

def by_python(traceparent):
    propagator, carrier = TraceContextTextMapPropagator(), {}
    propagator.inject(carrier, propagator.extract({"traceparent": traceparent}, Context()))
    return carrier.get("traceparent")

def by_javascript(traceparents):
    return json.loads(subprocess.run(["node", "pass.js", *traceparents], capture_output=True, text=True, check=True).stdout)

start = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-"
given = [start + flags for flags in ("00", "01", "03", "0f", "10", "83", "ff")]
passed = by_javascript(given)
onward = by_javascript(passed)
for before, after, again in zip(given, passed, onward, strict=True):
    print(f"flags {before[-2:]}: JavaScript passes on {after}; after it JavaScript reads {again and again[-2:]}, Python {by_python(after)}")
    assert by_python(before) == before
    whole = before[-2] == "0"
    assert after == (before if whole else start + "0" + before[-2:])
    assert (again, by_python(after)) == ((before, before) if whole else (None, None))
PY
