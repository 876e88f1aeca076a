// hessian.js on values of a seed (write SEED COUNT) and on octets from outside (read): see HessianPeer.java for what is printed.
//
// JavaScript does not tell an int from a long or a double when it reads, so what it read is "number" and the double's octets.
'use strict';

const hessian = require('hessian.js');

let state = 0n;
function random(below) {
  state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
  return Number((state >> 33n) % BigInt(below));
}

function pick(from) { return from[random(from.length)]; }

function bits(value) {
  const octets = Buffer.alloc(8);
  octets.writeDoubleBE(value + 0);
  return octets.toString('hex');
}

function text() {
  const size = random(60) === 0 ? 32760 + random(9000) : pick([0, 1, 5, 31, 32, 33, 100, 1023, 1024]);
  const alphabet = [...pick(['abc', 'aé€', 'a😀𝄞', '\0\x7f\u0080\u07ff\u0800'])];
  let made = '';
  while (made.length < size) made += pick(alphabet);
  return made;
}

// A value for the encoder, and the tokens of what it is.
function scalar() {
  switch (random(9)) {
    case 0: return [null, ['null']];
    case 1: { const value = random(2) === 1; return [value, ['bool', value]]; }
    case 2: { const value = (random(2 ** 31) << 1) >> random(31); return [value, ['int', value]]; }
    case 3: { const value = (BigInt(random(2 ** 31)) << 32n | BigInt(random(2 ** 31))) >> BigInt(random(63));
      const signed = random(2) ? value : -value;
      return [{ $class: 'long', $: signed.toString() }, ['long', signed]]; }
    case 4: { const value = pick([0.5, 1, 0, 12.25, -128, 127, 128, -32768, 32768, 1e300, 0.1 + 0.2, 1.1, random(2000000) / 1000 - 1000]);
      return [{ $class: 'double', $: value }, ['double', bits(value)]]; }
    case 5: { const value = new Date(random(2) ? random(2 ** 31) * 60000 : random(2 ** 31) * 1000 + 1); return [value, ['date', value.getTime()]]; }
    case 6: { const value = Buffer.alloc(random(20) ? random(20) : random(20000), random(256)); return [value, ['bytes', value.toString('hex')]]; }
    default: { const value = text(); return [value, ['str', value]]; }
  }
}

function stream() {
  const made = [];
  const tokens = [];
  function value(depth) {
    if (made.length && random(8) === 0) {
      const number = random(made.length);
      tokens.push(['reference', number]);
      return made[number];
    }
    if (depth && random(3) === 0) {
      if (random(3) === 0) {
        const fields = ['flag', 'list', 'name'];
        const found = { $class: 'a.Thing', $: {} };
        made.push(found);
        tokens.push(['object', 'a.Thing', 3]);
        for (const field of fields) { tokens.push(['field', field]); found.$[field] = value(depth - 1); }
        return found;
      }
      const items = [];
      made.push(items);
      const at = tokens.length;
      tokens.push(null);
      const count = random(12);
      for (let i = 0; i < count; i++) items.push(value(depth - 1));
      tokens[at] = ['list', '', count];
      return items;
    }
    const [found, token] = scalar();
    tokens.push(token);
    return found;
  }
  const encoder = new hessian.EncoderV2({ size: 1 << 20 });
  const values = [];
  const count = 1 + random(6);
  for (let i = 0; i < count; i++) values.push(value(4));
  for (const each of values) encoder.write(each);
  return [encoder.get(), tokens];
}

function compare(a, b) { return a < b ? -1 : a > b ? 1 : 0; }

function tell(values) {
  const tokens = [];
  const numbers = new Map();
  function value(each) {
    if (each === null || each === undefined) tokens.push(['null']);
    else if (typeof each === 'boolean') tokens.push(['bool', each]);
    else if (typeof each === 'number') tokens.push(['number', bits(each)]);
    else if (typeof each === 'string') tokens.push(['str', each]);
    else if (Buffer.isBuffer(each)) tokens.push(['bytes', each.toString('hex')]);
    else if (each instanceof Date) tokens.push(['date', each.getTime()]);
    else if (numbers.has(each)) tokens.push(['reference', numbers.get(each)]);
    else {
      numbers.set(each, numbers.size);
      if (Array.isArray(each)) {
        tokens.push(['list', '', each.length]);
        each.forEach(value);
      } else {
        const keys = Object.keys(each).sort(compare);
        tokens.push(['map', keys.length]);
        for (const key of keys) { value(key); value(each[key]); }
      }
    }
  }
  values.forEach(value);
  return json(tokens);
}

function json(tokens) {
  return JSON.stringify(tokens, (_, each) => (typeof each === 'bigint' ? `#${each}#` : each))
    .replace(/"#(-?\d+)#"/g, '$1')
    .replace(/[\u007f-\uffff]/g, (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'));
}

function read(line) {
  try {
    const decoder = new hessian.DecoderV2(Buffer.from(line, 'hex'));
    const values = [];
    while (decoder.byteBuffer.position() < line.length / 2) values.push(decoder.read());
    return tell(values);
  } catch (error) {
    return `! ${String(error).replace(/[^ -~]/g, '?')}`;
  }
}

const [, , what, seed, count] = process.argv;
const lines = [];
if (what === 'write') {
  for (let i = 0; i < Number(count); i++) {
    state = BigInt(seed) * 1000003n + BigInt(i);
    const [octets, tokens] = stream();
    lines.push(`${octets.toString('hex')}\t${json(tokens)}`);
  }
} else {
  require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
    if (line) process.stdout.write(`${read(line)}\n`);
  });
}
process.stdout.write(lines.map((line) => line + '\n').join(''));
