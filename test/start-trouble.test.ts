import { rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fetchOnce } from './support/client.ts';
import { counterApp, startCluster, temporaryFolder } from './support/cluster.ts';
import { runLimpet } from './support/command.ts';
import { waitUntil } from './support/wait-until.ts';

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
  // A request sent into the dying node would be of unknown outcome: this one must find nobody.
  await waitUntil(async () => (await cluster.status()).nodes.every(({ health }) => health !== 'alive'), {
    what: 'death',
  });
  const answer = await fetchOnce(cluster.url, { headers: { accept: 'application/json' } });
  expect(answer.status).toBe(503);
  expect(answer.outcome).toBe('not-executed');
  expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
  expect(answer.headers['content-type']).toContain('application/problem+json');
  rmSync(hold);
  await cluster.settled();
  expect((await fetchOnce(cluster.url)).status).toBe(200);
});
