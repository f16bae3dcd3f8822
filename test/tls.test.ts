import { copyFileSync } from 'node:fs';
import { Agent, request as httpsRequest } from 'node:https';
import { connect as connectPlain } from 'node:net';
import { join } from 'node:path';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { fetchOnce } from './support/client.ts';
import { type Cluster, endClusters, startCluster, startClusterForFile, temporaryFolder } from './support/cluster.ts';
import { runLimpet } from './support/command.ts';
import { waitUntil } from './support/wait-until.ts';

const fixture = (name: string): string => fileURLToPath(new URL(`fixtures/tls/${name}`, import.meta.url));

let cluster: Cluster;
let certificate: string;
let port: number;
beforeAll(async () => {
  const folder = temporaryFolder();
  certificate = join(folder, 'site.cert.pem');
  use('one');
  const pairs = [
    ['--tls-cert', certificate, '--tls-key', join(folder, 'site.key.pem')],
    ['--tls-cert', fixture('two.cert.pem'), '--tls-key', fixture('two.key.pem')],
  ];
  cluster = await startClusterForFile({ nodes: 3, folder, flags: pairs.flat() });
  port = Number(new URL(cluster.url).port);
}, 30_000);
afterAll(endClusters);

/** Puts a certificate and its key in the place of the site's. */
function use(name: string): void {
  copyFileSync(fixture(`${name}.key.pem`), certificate.replace('cert', 'key'));
  copyFileSync(fixture(`${name}.cert.pem`), certificate);
}

/** A handshake; nothing is verified but what the test looks at. */
function shake(options: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options }, () => resolve(socket));
    socket.once('error', reject);
  });
}

async function nameFor(servername: string | undefined): Promise<string> {
  const socket = await shake(servername === undefined ? {} : { servername });
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return String(subject.CN);
}

const agent = new Agent({ rejectUnauthorized: false, keepAlive: true, maxSockets: 1 });
afterAll(() => agent.destroy());

/** One request over TLS. */
function ask(method: string, path: string, cookie?: string): Promise<{ status: number; cookie: string; body: string }> {
  return new Promise((resolve, reject) => {
    const headers = cookie === undefined ? {} : { cookie };
    const outgoing = httpsRequest(new URL(path, cluster.url), { method, agent, headers }, (incoming) => {
      let body = '';
      incoming.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      incoming.once('end', () =>
        resolve({ status: incoming.statusCode ?? 0, cookie: incoming.headers['set-cookie']?.[0] ?? '', body }),
      );
    });
    outgoing.once('error', reject);
    outgoing.end();
  });
}

test('tls: the address is https, and a session cookie made over it is Secure', async () => {
  expect(cluster.url).toMatch(/^https:/);
  const made = await ask('POST', '/api/counter');
  expect(made.status).toBe(200);
  expect(made.cookie).toMatch(/; Secure(;|$)/);
});

test.each([
  ['one.example', 'one.example'],
  ['www.one.example', 'one.example'],
  ['two.example', 'two.example'],
  ['www.two.example', 'two.example'],
  ['elsewhere.example', 'one.example'],
  [undefined, 'one.example'],
])('tls: a client that asks for %s gets the certificate of %s', async (asked, given) => {
  expect(await nameFor(asked)).toBe(given);
});

test('tls: 1.2 and 1.3 are spoken, 1.1 is not', async () => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const socket = await shake({ minVersion: version, maxVersion: version });
    expect(socket.getProtocol()).toBe(version);
    socket.destroy();
  }
  await expect(shake({ minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' })).rejects.toThrow();
});

test('tls: plain HTTP, garbage, and a handshake that breaks off: closed, and the others are served', async () => {
  const before = (await cluster.status()).balancers[0]?.pid;
  for (const bytes of [
    'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    '\x00'.repeat(64),
  ]) {
    const socket = connectPlain(port, '127.0.0.1');
    socket.on('error', () => {});
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.end(bytes, 'latin1');
    socket.resume();
    await closed;
  }
  expect((await ask('GET', '/')).status).toBe(200);
  expect((await cluster.status()).balancers[0]?.pid).toBe(before);
});

test('tls: a kill of the session’s node: the user goes on over the same connection', async () => {
  const [cookie = ''] = (await ask('POST', '/api/counter')).cookie.split(';');
  const { node } = JSON.parse((await ask('POST', '/api/counter', cookie)).body) as { node: string };
  await cluster.kill(node);
  const { status, body } = await ask('GET', '/api/counter', cookie);
  expect([status, JSON.parse(body).count]).toEqual([200, 2]);
  await cluster.settled();
});

test('tls: a WebSocket', async () => {
  const socket = new WebSocket(`wss://127.0.0.1:${port}/echo`, { rejectUnauthorized: false });
  await new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  socket.terminate();
});

test('tls: the files are replaced: new connections get the new certificate, open ones go on, and a broken file changes nothing', async () => {
  const open = await shake({ servername: 'one.example' });
  const serial = open.getPeerCertificate().serialNumber;
  const serialNow = async (): Promise<string> => {
    const socket = await shake({ servername: 'one.example' });
    const { serialNumber } = socket.getPeerCertificate();
    socket.destroy();
    return serialNumber;
  };
  use('renewed');
  await waitUntil(async () => (await serialNow()) !== serial, { what: 'the new certificate' });
  const renewed = await serialNow();
  open.write('GET / HTTP/1.1\r\nHost: one.example\r\nConnection: close\r\n\r\n');
  const text = await new Promise<string>((resolve) => open.once('data', (bytes) => resolve(bytes.toString('latin1'))));
  expect(text).toMatch(/^HTTP\/1\.1 200 /);
  open.destroy();

  copyFileSync(fixture('two.key.pem'), certificate.replace('cert', 'key'));
  const isTold = () => cluster.output().includes('new certificates are refused');
  await waitUntil(isTold, { what: 'the refusal' });
  expect(await serialNow()).toBe(renewed);
  use('one');
  await waitUntil(async () => (await serialNow()) === serial, { what: 'the first certificate' });
});

test('tls: files that cannot be used: the start ends with the file and the reason', async () => {
  const start = async (...flags: readonly string[]) => {
    const { code, stderr } = await runLimpet(['start', 'app.mjs', '--port', '0', '--admin-port', '0', ...flags]);
    return `${code} ${stderr}`;
  };
  const cert = fixture('one.cert.pem');
  expect(await start('--tls-cert', cert)).toMatch(/^\d .*tlsCert names 1 and tlsKey 0 files/s);
  const refused = await startCluster({
    waitReady: false,
    flags: ['--tls-cert', cert, '--tls-key', fixture('two.key.pem')],
  });
  expect(await refused.ended()).toBe(1);
  expect(refused.output()).toMatch(/two\.key\.pem is refused: it is no key in PEM for the certificate/);
  const missing = await startCluster({ waitReady: false, flags: ['--tls-cert', `${cert}.old`, '--tls-key', cert] });
  expect(await missing.ended()).toBe(1);
  expect(missing.output()).toMatch(/one\.cert\.pem\.old is refused: it does not exist/);
});

test('tls: a plain client of the admin port', async () => {
  expect((await fetchOnce(new URL('/api/status', cluster.adminUrl))).status).toBe(200);
});
