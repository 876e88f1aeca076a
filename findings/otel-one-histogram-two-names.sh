#!/usr/bin/env bash
# One histogram of OpenTelemetry, "latency" in seconds, through two Prometheus exporters: Python's 0.66b2 calls it latency_seconds, JavaScript's
# 0.223.0 latency (the specification adds the unit). Its bound of one second is le="1" in JavaScript; in Python it is as the program wrote it: 1
# gives le="1", and 1.0 gives le="1.0", as the default bounds are. The clients beside them differ as well: prom-client 15.1.3 has le="1", and
# prometheus-client 0.26.0 for Python le="1.0" for either. So a dashboard of one service is empty for the other, and `le="1"` or sum by (le)
# lose or split buckets. Needs Node.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q opentelemetry-sdk==1.45.2 opentelemetry-exporter-prometheus==0.66b2 prometheus-client==0.26.0
npm install --silent --no-audit --no-fund @opentelemetry/api@1.9.1 @opentelemetry/sdk-metrics@2.12.1 @opentelemetry/exporter-prometheus@0.223.0 \
    prom-client@15.1.3 >/dev/null
cat >export.js <<'JS'
const { PrometheusExporter, PrometheusSerializer } = require("@opentelemetry/exporter-prometheus");
const { MeterProvider } = require("@opentelemetry/sdk-metrics");
const client = require("prom-client");
const exporter = new PrometheusExporter({ preventServerStart: true });
const meter = new MeterProvider({ readers: [exporter] }).getMeter("m");
meter.createHistogram("latency", { unit: "s", advice: { explicitBucketBoundaries: [0.5, 1, 5] } }).record(0.7);
new client.Histogram({ name: "own", help: "-", buckets: [0.5, 1, 5] }).observe(0.7);
exporter
  .collect()
  .then(async ({ resourceMetrics }) => console.log(new PrometheusSerializer().serialize(resourceMetrics) + (await client.register.metrics())));
JS
venv/bin/python - <<'PY'
import re, subprocess

import prometheus_client
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider

meter = MeterProvider([PrometheusMetricReader()]).get_meter("m")
meter.create_histogram("latency", unit="s", explicit_bucket_boundaries_advisory=[0.5, 1.0, 5.0]).record(0.7)
meter.create_histogram("latency_of_int", unit="s", explicit_bucket_boundaries_advisory=[0.5, 1, 5]).record(0.7)
prometheus_client.Histogram("own", "-", buckets=[0.5, 1, 5]).observe(0.7)
pages = {
    "Python": prometheus_client.generate_latest().decode(),
    "JavaScript": subprocess.run(["node", "export.js"], capture_output=True, text=True, check=True).stdout,
}
found = {}
for language, page in pages.items():
    for name, bound in re.findall(r'^(latency\w*|own)_bucket\{.*?le="([^"]*)"', page, re.MULTILINE):
        found.setdefault((language, name), []).append(bound)
for (language, name), bounds in found.items():
    print(f"{language}: {name}_bucket, le", *bounds)
assert found == {
    ("Python", "latency_seconds"): ["0.5", "1.0", "5.0", "+Inf"],
    ("Python", "latency_of_int_seconds"): ["0.5", "1", "5", "+Inf"],
    ("Python", "own"): ["0.5", "1.0", "5.0", "+Inf"],
    ("JavaScript", "latency"): ["0.5", "1", "5", "+Inf"],
    ("JavaScript", "own"): ["0.5", "1", "5", "+Inf"],
}
PY
