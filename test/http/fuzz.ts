import { Dice } from '../sim/dice.ts';
import { Oracle, type Outcome } from './oracle.ts';
import type { Rig } from './rig.ts';

/** Requests of a grammar, broken in places, cut anywhere: what the oracle says of them, reproducible from a seed. */

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY', 'PROPFIND'];
const targets = ['/', '/a?b=c', '//x/../y', '/%2e%2e/%00', 'http://b.example:8080/p?q', 'http://b', '/?', '/;,[]|^'];
const hosts = ['a', 'a.example:80', '127.0.0.1', '[::1]:8080', 'A-b_c'];
const names = ['X-A', 'x-b', 'Accept', 'Cookie', 'Content-Type', 'TE', 'Keep-Alive', 'X-Forwarded-For', 'Limpet-View'];
const values = ['1', '', 'a, b', '"q\\""', 'x\xe9\xff', 'a\tb', 'trailers', 'JSESSIONID=1; b=2', 'GET / HTTP/1.1'];
const connectionValues = ['keep-alive', 'X-A', 'x-b, TE', 'Keep-Alive,X-C'];
const extensions = ['', '', ';a', ';a=b', ';a="b;c"'];
const trailers = ['', '', 'X-Trailer: 1\r\n', 'Cookie: late\r\n'];

/** Bytes and lines that servers have stumbled over. */
const odd = [
  '\0',
  '\x01',
  '\t',
  '\n',
  '\x0b',
  '\x0c',
  '\r',
  '\r\n',
  ' ',
  '"',
  ',',
  ':',
  ';',
  '\x7f',
  '\x80',
  '\x85',
  '\xa0',
  '\xff',
];
const fragments = [
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: identity\r\n',
  'Content-Length: 5\r\n',
  'Content-Length: 0\r\n',
  'Host: evil\r\n',
  'Connection: close\r\n',
  'Connection: Content-Length\r\n',
  'Expect: 100-continue\r\n',
  'Upgrade: h2c\r\n',
  ' folded\r\n',
  '\r\n\r\n',
  '0\r\n\r\n',
  'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n',
  'HTTP/1.0',
  'HTTP/1.1',
  'chunked',
];

function drawBody(dice: Dice): string {
  const length = dice.int(40);
  const plain = Array.from({ length }, () => String.fromCharCode(dice.int(256))).join('');
  return dice.chance(0.3) ? 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n' : plain;
}

function drawFramed(dice: Dice): string {
  if (dice.chance(0.4)) return '\r\n';
  const body = drawBody(dice);
  if (dice.chance(0.5)) return `Content-Length: ${dice.chance(0.2) ? '00' : ''}${body.length}\r\n\r\n${body}`;
  let chunked = '';
  for (let at = 0; at < body.length; ) {
    const size = 1 + dice.int(body.length - at);
    const hex = size.toString(16);
    chunked += `${dice.chance(0.2) ? `0${hex.toUpperCase()}` : hex}${dice.pick(extensions)}\r\n${body.slice(at, at + size)}\r\n`;
    at += size;
  }
  return `${dice.pick(['Transfer-Encoding', 'transfer-encoding'])}: ${dice.pick(['chunked', 'Chunked'])}\r\n\r\n${chunked}0${dice.pick(extensions)}\r\n${dice.pick(trailers)}\r\n`;
}

function drawRequest(dice: Dice): string {
  const method = dice.pick(methods);
  const isForServer = method === 'OPTIONS';
  const target = dice.pick(isForServer ? targets.filter((one) => one !== 'http://b') : targets);
  let head = `${method} ${target} HTTP/1.1\r\n${dice.pick(['Host', 'host', 'HOST'])}: ${dice.pick(hosts)}\r\n`;
  for (let count = dice.int(5); count > 0; count--)
    head += `${dice.pick(names)}:${dice.pick(['', ' ', '\t '])}${dice.pick(values)}\r\n`;
  if (dice.chance(0.2)) head += `Connection: ${dice.pick(connectionValues)}\r\n`;
  return head + drawFramed(dice);
}

/** Breaks the text in one place. */
function mutate(text: string, dice: Dice): string {
  const at = dice.int(text.length + 1);
  const before = text.slice(0, at);
  const after = text.slice(at);
  const lines = text.split('\r\n');
  const line = dice.int(lines.length);
  switch (dice.int(7)) {
    case 0:
      return before + String.fromCharCode((after.charCodeAt(0) || 0) ^ (1 << dice.int(8))) + after.slice(1);
    case 1:
      return before + dice.pick(odd) + after;
    case 2:
      return before + after.slice(1 + dice.int(3));
    case 3:
      return [...lines.slice(0, line), lines[line], ...lines.slice(line)].join('\r\n');
    case 4:
      return [...lines.slice(0, line), ...lines.slice(line + 1)].join('\r\n');
    case 5:
      return before + dice.pick(fragments) + after;
    default:
      return [...lines.slice(0, line), (lines[line] ?? '') + dice.pick(odd), ...lines.slice(line + 1)].join('\r\n');
  }
}

function cutAnywhere(text: string, dice: Dice): readonly string[] {
  const places = Array.from({ length: dice.int(5) }, () => dice.int(text.length + 1)).sort((a, b) => a - b);
  return [...places, text.length]
    .map((end, at) => text.slice(places[at - 1] ?? 0, end))
    .filter((piece) => piece !== '');
}

export interface Tally {
  cases: number;
  served: number;
  refused: number;
  open: number;
}

/** Examines `cases` inputs. Throws at the first that is wrong, with the seed and the input. */
export async function fuzz(rig: Rig, seed: number, cases: number): Promise<Tally> {
  const oracle = new Oracle(rig);
  const tally: Tally = { cases: 0, served: 0, refused: 0, open: 0 };
  try {
    for (; tally.cases < cases; tally.cases++) {
      const dice = new Dice(seed, tally.cases);
      const sound = Array.from({ length: 1 + dice.int(2) }, () => drawRequest(dice)).join('');
      let text = sound;
      for (let breaks = dice.int(4); breaks > 0; breaks--) text = mutate(text, dice);
      const isReused = dice.chance(0.5);
      const pieces = cutAnywhere(text, dice);
      try {
        const outcome = await oracle.examine(pieces, isReused);
        count(tally, outcome);
        if (text === sound && (outcome.refused !== null || outcome.isOpen))
          throw new Error('a sound request was refused');
      } catch (error) {
        throw new Error(`seed ${seed}, case ${tally.cases}: ${JSON.stringify(pieces)}`, { cause: error });
      }
    }
    return tally;
  } finally {
    oracle.close();
  }
}

function count(tally: Tally, outcome: Outcome): void {
  if (outcome.refused !== null) tally.refused += 1;
  else if (outcome.isOpen) tally.open += 1;
  else if (outcome.served > 0) tally.served += 1;
}
