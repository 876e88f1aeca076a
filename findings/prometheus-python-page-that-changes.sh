#!/usr/bin/env bash
# prometheus-client 0.26.0 for Python, a page read by its own parser and exposed again, as an aggregator or a sidecar does: a counter of the name
# `reqs`, which Go's client has no objection to, is `reqs_total` afterwards: dashboards of it are empty. Samples without a TYPE line get one each, so
# a metric with two label sets has two, and Prometheus's own parser (common/expfmt 0.74.0), which read the page as it came, refuses the whole
# of it ("second TYPE line"). A time in milliseconds on such a page is whole. Needs Go.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q prometheus-client==0.26.0
cat >go.mod <<'MOD'
module page

go 1.25

require (
	github.com/prometheus/client_golang v1.25.0
	github.com/prometheus/common v0.74.0
)
MOD
cat >page.go <<'GO'
package main

import (
	"fmt"
	"os"
	"sort"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// write: a counter by Go's client, as it exposes it. read: what Prometheus's parser makes of a page.
func main() {
	if os.Args[1] == "write" {
		counter := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "reqs", Help: "Requests."}, []string{"code"})
		counter.WithLabelValues("200").Add(3)
		registry := prometheus.NewRegistry()
		registry.MustRegister(counter)
		families, err := registry.Gather()
		if err != nil {
			panic(err)
		}
		if _, err := expfmt.MetricFamilyToText(os.Stdout, families[0]); err != nil {
			panic(err)
		}
		return
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(os.Stdin)
	if err != nil {
		fmt.Println(err)
		return
	}
	for name, family := range families {
		names = append(names, fmt.Sprintf("%s: %d", name, len(family.Metric)))
	}
	sort.Strings(names)
	fmt.Println(names)
}

var names []string
GO
GOPATH="$folder/go" GOFLAGS=-mod=mod GOTOOLCHAIN=local go build -o page page.go 2>/dev/null
venv/bin/python - <<'PY'
import subprocess
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

class Page:
    def __init__(self, text):
        self.text = text

    def collect(self):
        return text_string_to_metric_families(self.text)

def again(text):
    registry = CollectorRegistry()
    registry.register(Page(text))
    return generate_latest(registry).decode()

def read_by_go(text):
    return subprocess.run(["./page", "read"], input=text, capture_output=True, text=True, check=True).stdout.strip()

counter = subprocess.run(["./page", "write"], capture_output=True, text=True, check=True).stdout
untyped = 'up{job="a"} 1 1700000000123\nup{job="b"} 0\n'
for text in (counter, untyped):
    print(text, "Prometheus reads:", read_by_go(text), "\nthrough Python:\n" + again(text), "Prometheus reads:", read_by_go(again(text)), "\n")
assert read_by_go(counter) == "[reqs: 1]" and read_by_go(again(counter)) == "[reqs_total: 1]"
assert read_by_go(untyped) == "[up: 2]" and "second TYPE line" in read_by_go(again(untyped))
assert "1700000000123" in again(untyped)
PY
