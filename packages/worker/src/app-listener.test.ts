import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import { type AddressInfo, type Server as ByteServer, createServer as createByteServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeIdAt } from '@limpet/core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { presentPeer } from './app-addresses.ts';
import { DoorPath } from './app-door.ts';
import { AppListener } from './app-listener.ts';
import type { Front } from './app-server.ts';
import { readListenArguments } from './listen-arguments.ts';

let sockets = '';
let door: DoorPath;
let chosen: Server[] = [];
let notes: string[] = [];
let fronted = 0;
const servers: ByteServer[] = [];

beforeEach(() => {
  sockets = mkdtempSync(join(tmpdir(), 'limpet-'));
  door = new DoorPath({ node: nodeIdAt(2), incarnation: 3, sockets });
  chosen = [];
  notes = [];
  fronted = 0;
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  rmSync(sockets, { recursive: true });
});

const front: Front = {
  connection: (socket, port) => presentPeer(socket, port),
  request(_req, _res, proceed) {
    fronted++;
    proceed();
  },
  upgrade: (_req, _socket, proceed) => proceed(),
};

const waiting: (() => void)[] = [];
function listenerFor(port: number | null, graceMs = 20): AppListener {
  return new AppListener({
    door,
    front,
    port,
    graceMs,
    chosen: (server) => {
      chosen.push(server);
      for (const resolve of waiting.splice(0)) resolve();
    },
    note: (text) => notes.push(text),
  });
}
const untilChosen = (count = 1): Promise<void> | void =>
  chosen.length >= count
    ? undefined
    : new Promise<void>((resolve) => waiting.push(resolve)).then(() => untilChosen(count));

function listen<T extends ByteServer>(listener: AppListener, server: T, ...args: unknown[]): T {
  const asked = readListenArguments(args);
  if (asked.kind !== 'port') throw new Error('a port');
  servers.push(server);
  listener.listen(server, asked, args);
  return server;
}
const named = (name: string): Server =>
  createServer((req, res) => res.end(`${name} ${req.socket.remoteAddress} ${req.socket.localPort}`));

async function get(where: { socketPath: string } | { port: number; host?: string }): Promise<string> {
  const sent = request({ ...where, agent: false }).end();
  const [res] = (await once(sent, 'response')) as [IncomingMessage];
  expect(res.headers['keep-alive']).toBeUndefined();
  let body = '';
  for await (const piece of res.setEncoding('utf8')) body += piece;
  return body;
}

test('listen: the public port: the node socket, at once, with the address asked for', async () => {
  const server = listen(listenerFor(3000), named('app'), '3000');
  expect(server.listening).toBe(true);
  expect(server.address()).toEqual({ address: '::', family: 'IPv6', port: 3000 });
  await once(server, 'listening');
  expect(statSync(door.path).mode & 0o777).toBe(0o600);
  expect(await get({ socketPath: door.path })).toBe('app 127.0.0.1 3000');
  expect(chosen).toEqual([server]);
  expect(fronted).toBe(1);
});

test('listen: metrics first, then the public port: metrics move to loopback', async () => {
  const listener = listenerFor(3000, 10_000);
  const metrics = listen(listener, named('metrics'), 9464, '0.0.0.0');
  await once(metrics, 'listening');
  const app = listen(listener, named('app'), { port: 3000, host: '127.0.0.1' });
  await untilChosen();
  expect(chosen).toEqual([app]);
  expect(await get({ socketPath: door.path })).toMatch(/^app /);
  const { address, port } = metrics.address() as AddressInfo;
  expect(address).toBe('127.0.0.1');
  expect(await get({ port, host: '127.0.0.1' })).toMatch(/^metrics /);
  expect(notes).toEqual([`port 9464 of the app is 127.0.0.1:${port} in this worker`]);
});

test('listen: no server asks for the public port: the first one after the grace', async () => {
  const listener = listenerFor(8080);
  const first = listen(listener, named('first'), 3000, () => {});
  const second = listen(listener, named('second'), 3001);
  await untilChosen();
  expect(chosen).toEqual([first]);
  expect(await get({ socketPath: door.path })).toMatch(/^first .* 3000$/);
  expect(await get({ port: (second.address() as AddressInfo).port, host: '127.0.0.1' })).toMatch(/^second /);
});

test('listen: the public port after the grace: the choice is taken back', async () => {
  const listener = listenerFor(8080, 1);
  const metrics = listen(listener, named('metrics'), 9464);
  await untilChosen();
  const app = listen(listener, named('app'), 8080);
  await untilChosen(2);
  expect(chosen).toEqual([metrics, app]);
  expect(await get({ socketPath: door.path })).toMatch(/^app /);
  expect(await get({ port: (metrics.address() as AddressInfo).port, host: '127.0.0.1' })).toMatch(/^metrics /);
});

test('listen: the same port twice: the second listens, the first is reached', async () => {
  const listener = listenerFor(3000);
  listen(listener, named('one'), { port: 3000, host: '::1' });
  const two = listen(listener, named('two'), { port: 3000, host: '127.0.0.1' });
  await once(two, 'listening');
  expect(two.address()).toEqual({ address: '127.0.0.1', family: 'IPv4', port: 3000 });
  await untilChosen();
  expect(await get({ socketPath: door.path })).toMatch(/^one /);
  two.close();
  await once(two, 'close');
  expect(await get({ socketPath: door.path })).toMatch(/^one /);
});

test('listen: only port 0: fed from the node socket, its own port is no way in', async () => {
  const server = listen(listenerFor(8080, 5), named('zero'), 0);
  await untilChosen();
  const { port } = server.address() as AddressInfo;
  expect(await get({ socketPath: door.path })).toBe(`zero 127.0.0.1 ${port}`);
  await expect(get({ port })).rejects.toThrow();
  expect(fronted).toBe(1);
});

test('listen: port 0 beside the app: untouched', async () => {
  const listener = listenerFor(8080, 5);
  const app = listen(listener, named('app'), 8080);
  const own = listen(listener, named('own'), 0, '127.0.0.1');
  await Promise.all([untilChosen(), once(own, 'listening')]);
  expect(chosen).toEqual([app]);
  expect(await get({ port: (own.address() as AddressInfo).port, host: '127.0.0.1' })).toMatch(/^own /);
  expect(fronted).toBe(0);
});

test('listen: a server of bytes: moves to a free loopback port', async () => {
  const server = listen(listenerFor(8080), createByteServer(), 7000, '0.0.0.0', () => {});
  await once(server, 'listening');
  const { address, port } = server.address() as AddressInfo;
  expect(address).toBe('127.0.0.1');
  expect(port).not.toBe(7000);
  expect(notes).toEqual([`port 7000 of the app is 127.0.0.1:${port} in this worker`]);
});

test('listen: timeouts set by the app afterwards: stay pinned', async () => {
  const server = listen(listenerFor(3000), named('app'), 3000);
  await once(server, 'listening');
  server.keepAliveTimeout = 5_000;
  server.setTimeout(10);
  server.requestTimeout = 1;
  expect([server.keepAliveTimeout, server.timeout, server.requestTimeout, server.headersTimeout]).toEqual([0, 0, 0, 0]);
});

test('listen: closed and opened again: the new server is the app', async () => {
  const listener = listenerFor(3000);
  const first = listen(listener, named('first'), 3000);
  await once(first, 'listening');
  first.close();
  await once(first, 'close');
  expect(existsSync(door.path)).toBe(true);
  await expect(get({ socketPath: door.path })).rejects.toThrow('ECONNREFUSED');
  await once(listen(listener, named('second'), 3000), 'listening');
  expect(await get({ socketPath: door.path })).toMatch(/^second /);
});
