import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { inodesOf, isListeningHere } from './debugger-port.ts';

const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:240D 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 57341 1 0000000000000000 100
   1: 0100007F:240D 0100007F:A3F0 01 00000000:00000000 00:00000000 00000000     0        0 57342 1 0000000000000000 20
   2: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 57343 1 0000000000000000 100
`;

test('the table of sockets: only what listens on the port', () => {
  expect(inodesOf(table, 9_229)).toEqual(['57341']);
  expect(inodesOf(table, 8_080)).toEqual(['57343']);
  expect(inodesOf(table, 80)).toEqual([]);
  expect(inodesOf('', 9_229)).toEqual([]);
});

test('a port of this process, before, while and after it listens', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  expect(await isListeningHere(port)).toBe(true);
  await new Promise((resolve) => server.close(resolve));
  expect(await isListeningHere(port)).toBe(false);
});
