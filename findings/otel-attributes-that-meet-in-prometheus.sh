#!/usr/bin/env bash
# OpenTelemetry attributes "http.method" and "http_method" (old and new instrumentation side by side) are one label in Prometheus. Its
# specification joins the values with ";". Go's exporter 0.69.0 does; Python's 0.66b2 keeps the last; JavaScript's 0.223.0 writes the label twice,
# and Prometheus's own parser (common/expfmt 0.74.0) refuses the whole page for it. If one part of a program uses one name and another the
# other, Python and JavaScript write one series twice with two values, and in Go the page is an error: promhttp answers 500, and every
# metric is gone. Needs Go and Node.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q opentelemetry-sdk==1.45.2 opentelemetry-exporter-prometheus==0.66b2
npm install --silent --no-audit --no-fund @opentelemetry/api@1.9.1 @opentelemetry/sdk-metrics@2.12.1 \
    @opentelemetry/exporter-prometheus@0.223.0 >/dev/null
cat >export.py <<'PY'
import json, sys
import prometheus_client
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider

counter = MeterProvider([PrometheusMetricReader()]).get_meter("m").create_counter("calls")
for number, attributes in enumerate(json.loads(sys.argv[1]), 1):
    counter.add(number, attributes)
print(prometheus_client.generate_latest().decode())
PY
cat >export.js <<'JS'
const { PrometheusExporter, PrometheusSerializer } = require("@opentelemetry/exporter-prometheus");
const { MeterProvider } = require("@opentelemetry/sdk-metrics");
const exporter = new PrometheusExporter({ preventServerStart: true });
const counter = new MeterProvider({ readers: [exporter] }).getMeter("m").createCounter("calls");
JSON.parse(process.argv[2]).forEach((attributes, index) => counter.add(index + 1, attributes));
exporter.collect().then(({ resourceMetrics }) => console.log(new PrometheusSerializer().serialize(resourceMetrics)));
JS
cat >go.mod <<'MOD'
module metrics

go 1.24

require (
	github.com/prometheus/client_golang v1.25.0
	github.com/prometheus/common v0.74.0
	go.opentelemetry.io/otel v1.47.0
	go.opentelemetry.io/otel/exporters/prometheus v0.69.0
	go.opentelemetry.io/otel/sdk/metric v1.47.0
)
MOD
cat >metrics.go <<'GO'
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.opentelemetry.io/otel/attribute"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	api "go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/metric"
)

func main() {
	if os.Args[1] == "parse" {
		parser := expfmt.NewTextParser(model.UTF8Validation)
		_, err := parser.TextToMetricFamilies(os.Stdin)
		fmt.Println(err)
		return
	}
	registry := prometheus.NewRegistry()
	reader, _ := exporter.New(exporter.WithRegisterer(registry))
	counter, _ := metric.NewMeterProvider(metric.WithReader(reader)).Meter("m").Int64Counter("calls")
	var sets []map[string]string
	_ = json.Unmarshal([]byte(os.Args[2]), &sets)
	for index, set := range sets {
		var attributes []attribute.KeyValue
		for name, value := range set {
			attributes = append(attributes, attribute.String(name, value))
		}
		counter.Add(context.Background(), int64(index+1), api.WithAttributes(attributes...))
	}
	page := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
	fmt.Println("status", page.Code)
	fmt.Println(page.Body)
}
GO
GOPATH="$folder/go" GOFLAGS=-mod=mod go build -o metrics metrics.go 2>/dev/null
venv/bin/python - <<'PY'
import json, re, subprocess

EXPORTERS = {"Python": ["venv/bin/python", "export.py"], "JavaScript": ["node", "export.js"], "Go": ["./metrics", "export"]}

def said(command, text=None):
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout

found = {}
for case, sets in (
    ("one set", [{"http.method": "GET", "http_method": "POST"}]),
    ("two sets", [{"http.method": "GET"}, {"http_method": "GET"}]),
):
    for language, command in EXPORTERS.items():
        page = said([*command, json.dumps(sets)])
        lines = [line for line in page.splitlines() if line.startswith("calls_total{")]
        series = [(re.findall(r'http_method="([^"]*)"', line), float(line.split()[-1])) for line in lines]
        refused = said(["./metrics", "parse"], page).strip() if language != "Go" else page.splitlines()[0]
        found[case, language] = (series, refused)
        print(f"{case}, {language}: {series}, {refused}")
assert found["one set", "Python"] == ([(["POST"], 1)], "<nil>")
assert found["one set", "Go"] == ([(["GET;POST"], 1)], "status 200")
assert found["one set", "JavaScript"][0] == [(["GET", "POST"], 1)]
assert "duplicate label names" in found["one set", "JavaScript"][1]
for language in ("Python", "JavaScript"):
    assert found["two sets", language] == ([(["GET"], 1), (["GET"], 2)], "<nil>")
assert found["two sets", "Go"] == ([], "status 500")
PY
