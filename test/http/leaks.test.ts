import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errorTable, internalHeaders, nodeIdAt } from '@limpet/core';
import { afterEach, expect, test } from 'vitest';
import { createLog } from '../../packages/balancer/src/log.ts';
import { renderPage } from '../../packages/balancer/src/page.ts';
import { badAnswers } from './bad-answers.ts';
import { corpus } from './corpus.ts';
import { answerHead, request, seenHead } from './duties.ts';
import { answerTo, answerWithTarget } from './recording-upstream.ts';
import { Rig, until } from './rig.ts';
import { valuesOf } from './strict-reader.ts';

let rig: Rig | null = null;
const folders: string[] = [];
afterEach(async () => {
  await rig?.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

const internal = [...Object.values(internalHeaders), 'limpet-outcome', 'limpet-anything'];

test('internal headers of a client, in every spelling: none reaches the worker', async () => {
  rig = await Rig.start();
  const spelled = internal.flatMap((name) => [name, name.toUpperCase(), name.replace('-', '_')]);
  const lines = spelled.map((name) => `${name}: forged`);
  const chunk = `0\r\n${lines.join('\r\n')}\r\n\r\n`;
  await rig.ask(request('/', [...lines, 'Transfer-Encoding: chunked'], 'POST', chunk));
  const [got] = rig.upstream.requests;
  expect(rig.upstream.bytes).not.toContain('forged');
  const ours = ['request', 'view', 'attempt', 'deadline'].map((name) => `limpet-${name}`);
  expect(got?.fields.map(([name]) => name.toLowerCase()).filter((name) => /^limpet[-_]/.test(name))).toEqual(ours);
});

test('internal headers of a worker, in head, interim answer and trailers: none reaches the client', async () => {
  rig = await Rig.start();
  const lines = internal
    .filter((name) => !/request|verdict|view/.test(name))
    .map((name) => `${name.toUpperCase()}: leaked`);
  rig.upstream.script = (got, connection) =>
    connection.send(
      `HTTP/1.1 103 Early Hints\r\n${lines.join('\r\n')}\r\nLink: <a>\r\n\r\n` +
        `${answerHead(got, [...lines, 'Transfer-Encoding: chunked'])}2\r\nok\r\n0\r\n${lines.join('\r\n')}\r\n\r\n`,
    );
  const client = await rig.ask(request('/'));
  expect(client.answer?.body).toBe('ok');
  expect(client.text).not.toMatch(/limpet|leaked/i);
  expect(client.text).toMatch(/^HTTP\/1\.1 103 Early Hints\r\nLink: <a>\r\n\r\n/);
});

test('answers: no Server, no name of anything of ours is added', async () => {
  rig = await Rig.start();
  rig.upstream.script = (got, connection) => connection.send(answerTo(got, 'ok'));
  expect(seenHead(await rig.ask(request('/')))).toEqual(['HTTP/1.1 200 OK', 'Content-Length: 2']);
});

/** What an attacker would like to read in an error: versions, programs, processes, places, stacks. */
const telling =
  /\d+\.\d+\.\d+|node\.?js|undici|llhttp|HPE_|UND_ERR|\bn1\b|\bb1\b|\.(?:ts|js|sock|http)\b|127\.0\.0\.1|at \w+ \(|server:|x-powered-by/i;

test('pages: for people and programs: every error of the table names no worker, no version and no place', () => {
  const codes = Object.entries(errorTable).filter(([, { status }]) => status !== null);
  expect(codes.length).toBeGreaterThan(15);
  for (const [code] of codes) {
    for (const accept of ['text/html', 'application/json']) {
      const page = renderPage(code as keyof typeof errorTable, { accept });
      expect(page.body.toString(), code).not.toMatch(telling);
    }
  }
});

test('refusals and failures over real sockets: head and body name no worker, no version and no place', async () => {
  const here = await Rig.start({ welcome: { deadlineMs: 200 } });
  rig = here;
  const refused = corpus.filter(([, , verdict]) => verdict !== 'served');
  const texts = await Promise.all(
    refused.map(async ([, text]) => {
      const client = here.client();
      client.send(text);
      await until(() => client.text !== '');
      return client.text;
    }),
  );
  here.upstream.script = (_, connection) => connection.send('nonsense\r\n');
  texts.push((await here.ask(request('/', [], 'POST'))).text);
  here.upstream.close();
  texts.push((await here.ask(request('/', [], 'POST'))).text);
  expect(texts.slice(-2).map((text) => text.slice(9, 12))).toEqual(['502', '503']);
  for (const text of texts) expect(text.replace(/^HTTP\/1\.1/, '')).not.toMatch(telling);
});

const isControl = (c: string): boolean => c < ' ' || (c >= '\x7f' && c < '\xa0') || c === '\u2028' || c === '\u2029';

test('log: hostile bytes from both sides: no control character, no cookie, no query, nothing that was received', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'limpet-log-'));
  folders.push(folder);
  const file = join(folder, 'log');
  const fd = openSync(file, 'a');
  const log = createLog('b1', fd);
  const here = await Rig.start({ log });
  rig = here;
  const canary = `JSESSIONID=${here.cluster.sessionAt(nodeIdAt(1))}; other=canary\x9b31m`;
  const evil = 'canary\x1b[31m\x07\x9b2J\x7f\r\ncanary: 1\r\n';
  here.upstream.script = (got, connection) => {
    const kind = badAnswers[Number(/^\/kind\/(\d+)/.exec(got.target)?.[1] ?? -1)];
    if (kind !== undefined) kind.send(got, connection);
    else if (got.target.startsWith('/evil')) connection.send(`HTTP/1.1 200 ${evil}X: ${evil}`);
    else answerWithTarget(got, connection);
  };
  await Promise.all(
    badAnswers.map((_, at) => here.ask(request(`/kind/${at}?canary`, [`Cookie: ${canary}`, 'X: canary'], 'POST'))),
  );
  await here.ask(request('/evil', [], 'POST'));
  const broken = here.client();
  broken.send(`GET /${evil}`);
  await broken.closed();
  log.error({ err: new Error('a \x1b[31m\x9b31m\x7f\u2028 z'), why: '\x00\x85' }, 'an error \x9b of another \r\n line');
  const text = readFileSync(file, 'utf8');
  closeSync(fd);
  const lines = text.trimEnd().split('\n');
  // The log is not empty, and every line of it can be read by a program.
  expect(lines.filter((line) => JSON.parse(line).msg === 'refused an answer').length).toBeGreaterThan(10);
  expect(JSON.parse(lines.at(-1) ?? '').err.message).toBe('a \x1b[31m\x9b31m\x7f\u2028 z');
  for (const line of lines) {
    expect([...line].filter(isControl)).toEqual([]);
    expect(line).not.toMatch(/canary|JSESSIONID/);
  }
  expect(valuesOf(here.upstream.requests[0]?.fields ?? [], 'cookie')).toEqual([canary]);
  expect(here.failures).toHaveLength(0);
});
