// hessian.js in a warm V8: reads the bodies of a file (size, octets) again and again; see HessianLoop.java.
'use strict';

const fs = require('fs');
const readline = require('readline');
const hessian = require('hessian.js');

const octets = fs.readFileSync(process.argv[2]);
const bodies = [];
for (let at = 0; at < octets.length; at += 4 + bodies[bodies.length - 1].length) {
  bodies.push(octets.subarray(at + 4, at + 4 + octets.readUInt32BE(at)));
}

function whole(body) {
  const decoder = new hessian.DecoderV2(body);
  const [, service, version, method] = [decoder.read(), decoder.read(), decoder.read(), decoder.read()];
  decoder.read();
  const order = decoder.read();
  const count = decoder.read();
  const attached = decoder.read();
  return [service, version, method, attached, count, order];
}

function throwable(body) {
  const decoder = new hessian.DecoderV2(body);
  const kind = decoder.read();
  const thrown = decoder.read();
  const attached = decoder.read();
  return [kind, thrown, attached];
}

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const [what, rounds] = line.split(' ');
  const read = what === 'whole' ? whole : throwable;
  let found;
  const begun = process.hrtime.bigint();
  for (let round = 0; round < Number(rounds); round++) for (const body of bodies) found = read(body);
  const taken = process.hrtime.bigint() - begun;
  const said = what === 'whole'
    ? `${found[0]} ${found[1]} ${found[2]} {${Object.keys(found[3]).sort().map((key) => `${key}=${found[3][key]}`).join(', ')}} ${found[4]} [${found[5].tags.join(', ')}]`
    : `${found[0]} ${found[1].name} ${found[1].message} {${Object.entries(found[2]).map((pair) => pair.join('=')).join(', ')}}`;
  process.stdout.write(`${taken} ${said}\n`);
});
