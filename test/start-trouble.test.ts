import { rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fetchOnce } from './support/client.ts';
import { counterApp, startCluster, temporaryFolder } from './support/cluster.ts';
import { runLimpet } from './support/command.ts';
import { waitUntil } from './support/wait-until.ts';

const countOf = (text: string, word: string): number => text.split(word).length - 1;

const wrongApps: readonly (readonly [string, string, RegExp])[] = [
  ['throws at start', "throw new Error('no database today');", /no database today/],
  ['does not listen', 'setInterval(() => {}, 1000);', /listen/],
  ['exits at once', 'process.exit(3);', /exit 3/],
];

test.each(wrongApps)('start: an app that %s: says why, gives up, exit 1, no process left', async (_, text, reason) => {
  const folder = temporaryFolder();
  const app = join(folder, 'app.mjs');
  writeFileSync(app, text);
  const cluster = await startCluster({ app, folder, nodes: 2, flags: ['--ready-timeout', '1s'], waitReady: false });
  expect(await cluster.ended(40_000)).toBe(1);
  expect(cluster.output()).toMatch(reason);
  expect(cluster.output()).toContain('no node could be started');
  await waitUntil(() => cluster.pids().length === 0, { what: 'the last process to end' });
});

test('start: an app that throws at start: its own error is shown once, not once per start', async () => {
  const folder = temporaryFolder();
  const app = join(folder, 'app.mjs');
  writeFileSync(app, "throw new Error('no database today');");
  const cluster = await startCluster({ app, folder, nodes: 1, waitReady: false });
  expect(await cluster.ended(40_000)).toBe(1);
  expect(countOf(cluster.output(), 'Error: no database today')).toBe(1);
});

test('start: one node of two cannot start: the other serves, status says why', async () => {
  const folder = temporaryFolder();
  const app = join(folder, 'app.mjs');
  writeFileSync(
    app,
    `import { createServer } from 'node:http';
     if (process.env.LIMPET_NODE === 'n2') throw new Error('n2 has no disk');
     createServer((req, res) => res.end('fine')).listen(process.env.PORT);`,
  );
  const cluster = await startCluster({ app, folder, nodes: 2, waitReady: false });
  const status = await waitUntil(
    async () => {
      const now = await cluster.status();
      return now.nodes.some(({ givenUp }) => givenUp) ? now : null;
    },
    { timeout: 40_000, what: 'n2 to be given up' },
  );
  expect(status?.nodes.find(({ id }) => id === 'n2')?.reason).toContain('n2 has no disk');
  expect((await fetchOnce(cluster.url)).body).toBe('fine');
});

test('start: the port is in use: names it and the option, exit 1', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await waitUntil(() => other.listening);
  const address = other.address();
  const port = typeof address === 'object' && address ? String(address.port) : '';
  const folder = temporaryFolder();
  const result = await runLimpet(['start', counterApp, '--port', port, '--admin-port', '0'], { folder });
  other.close();
  expect(result.code).toBe(1);
  expect(result.stdout + result.stderr).toContain(
    `port ${port} on 127.0.0.1 is in use by another program: stop that one, or choose another port with --port`,
  );
});

test('start: an unknown option: refused with a suggestion, exit 2', async () => {
  const result = await runLimpet(['start', counterApp, '--node', '3'], { folder: temporaryFolder() });
  expect(result.code).toBe(2);
  expect(result.stderr).toContain('--node');
  expect(result.stderr).toContain('--nodes');
});

test('start: zero nodes: refused, exit 2', async () => {
  const result = await runLimpet(['start', counterApp, '--nodes', '0'], { folder: temporaryFolder() });
  expect(result.code).toBe(2);
  expect(result.stderr).toContain('nodes');
});

test('start: the run directory of a living cluster: refused, the cluster goes on', async () => {
  const cluster = await startCluster({ nodes: 2 });
  const args = ['start', counterApp, '--port', '0', '--admin-port', '0', '--run-dir', cluster.runDir];
  const second = await runLimpet(args, { folder: cluster.folder });
  expect(second.code).toBe(1);
  expect(second.stdout + second.stderr).toContain(`a cluster is running in ${cluster.runDir}`);
  expect((await fetchOnce(cluster.url)).status).toBe(200);
});

test('start: one node: serves, and says that nothing is copied', async () => {
  const cluster = await startCluster({ nodes: 1 });
  expect((await fetchOnce(new URL('/api/counter', cluster.url), { method: 'POST', body: '' })).status).toBe(200);
  expect(cluster.output()).toMatch(/not copied|one copy|no copy|nothing is copied/i);
});

/** Sends bytes as they are; all that comes back until the far end closes. */
function sendRaw(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    socket.setEncoding('latin1').setTimeout(10_000, () => socket.destroy());
    socket.on('data', (piece: string) => {
      text += piece;
    });
    // A far end that closes while bytes are still coming resets the connection: what it said before counts.
    socket.on('error', (error) => (text ? resolve(text) : reject(error)));
    socket.on('close', () => resolve(text));
  });
}

test('bad input: oversized header 431, malformed request 400: the connection is closed, the cluster goes on', async () => {
  const cluster = await startCluster({ nodes: 2 });
  const long = `GET / HTTP/1.1\r\nHost: a\r\nX-Long: ${'x'.repeat(100_000)}\r\n\r\n`;
  expect(await sendRaw(cluster.url, long)).toMatch(/^HTTP\/1\.1 431 /);
  expect(await sendRaw(cluster.url, 'GET nonsense\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
  expect(await sendRaw(cluster.url, 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
  const smuggled = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n';
  expect(await sendRaw(cluster.url, smuggled)).toMatch(/^HTTP\/1\.1 400 /);
  expect((await fetchOnce(cluster.url)).status).toBe(200);
});

test('no node ready: 503 not-executed with Retry-After at the deadline, served again when the node is back', async () => {
  const hold = join(temporaryFolder(), 'hold');
  const cluster = await startCluster({ nodes: 1, env: { HOLD_FILE: hold }, flags: ['--deadline', '1s'] });
  writeFileSync(hold, 'n1');
  await cluster.kill('n1');
  const answer = await fetchOnce(cluster.url, { headers: { accept: 'application/json' } });
  expect(answer.status).toBe(503);
  expect(answer.outcome).toBe('not-executed');
  expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
  expect(answer.headers['content-type']).toContain('application/problem+json');
  rmSync(hold);
  await cluster.settled();
  expect((await fetchOnce(cluster.url)).status).toBe(200);
});
