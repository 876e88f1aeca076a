#!/usr/bin/env bash
# @platformatic/kafka 2.12.1 hashes keys by murmur2, as the Java client does, but takes the hash as an unsigned number where Java drops the upper
# bit. The two agree where the number of partitions is a power of two (1, 2, 4, 8): the usual test. With 3, 6 or 12 partitions, half of the keys
# go elsewhere than Java's, aiokafka's (0.14.0, shown here) and kafkajs's. compatibilityPartitioner, which is not the default, is as Java. Needs Node.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q aiokafka==0.14.0
npm install --silent --no-audit --no-fund @platformatic/kafka@2.12.1 >/dev/null
cat >hash.js <<'JS'
const { defaultPartitioner, compatibilityPartitioner } = require("@platformatic/kafka");
for (let number = 0; number < 1000; number++) {
  const key = Buffer.from(`user-${number}`);
  console.log(defaultPartitioner({}, key), compatibilityPartitioner({}, key));
}
JS
venv/bin/python - <<'PY'
import subprocess

from aiokafka.partitioner import DefaultPartitioner

lines = subprocess.run(["node", "hash.js"], capture_output=True, text=True, check=True).stdout.splitlines()
for count in (1, 2, 3, 4, 6, 8, 12):
    others = [DefaultPartitioner()(f"user-{number}".encode(), list(range(count)), []) for number in range(1000)]
    default, compatible = ([int(each) % count for each in hashes] for hashes in zip(*map(str.split, lines)))
    apart = sum(one != other for one, other in zip(default, others))
    print(f"{count} partitions: {apart} of 1000 keys elsewhere; by compatibilityPartitioner {sum(a != b for a, b in zip(compatible, others))}")
    assert compatible == others
    assert apart == 0 if count in (1, 2, 4, 8) else 400 < apart < 600
PY
