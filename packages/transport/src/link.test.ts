import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LimpetError } from '@limpet/core';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { dial } from './dial.ts';
import { encodeFrame } from './frame.ts';
import type { Link } from './link.ts';
import { listen } from './listen.ts';

let folder: string;
let path: string;
const cleanups: (() => unknown)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'limpet-link-'));
  path = join(folder, 's');
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await rm(folder, { recursive: true });
});

/** Everything that happened at one end, in order. */
function recorder() {
  const messages: unknown[] = [];
  const closes: (Error | null)[] = [];
  let opens = 0;
  return {
    messages,
    closes,
    opens: () => opens,
    handlers: {
      open: () => {
        opens++;
      },
      message: (message: unknown) => {
        messages.push(message);
      },
      close: (error: Error | null) => {
        closes.push(error);
      },
    },
  };
}

async function serve() {
  const here = recorder();
  const links: Link<unknown, unknown>[] = [];
  const listener = await listen<unknown, unknown>(path, (link) => {
    links.push(link);
    return here.handlers;
  });
  cleanups.push(() => listener.close());
  return { ...here, links };
}

function call(options?: Parameters<typeof dial>[2]) {
  const there = recorder();
  const link = dial<unknown, unknown>(path, there.handlers, options);
  cleanups.push(() => link.close());
  return { ...there, link };
}

/** A listener below frames that does not read. */
async function deafServer(): Promise<{ sockets: Socket[]; server: Server }> {
  const sockets: Socket[] = [];
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    sockets.push(socket.on('error', () => {}));
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return { sockets, server };
}

async function rawClient(): Promise<Socket> {
  const socket = connect(path).on('error', () => {});
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  cleanups.push(() => socket.destroy());
  return socket;
}

const codeOf = (error: Error | null | undefined) => (error instanceof LimpetError ? error.code : error);

describe('link', () => {
  test('link: thousands of messages both ways at once: all of them, in order', async () => {
    const server = await serve();
    const client = call();
    await vi.waitFor(() => expect(server.links).toHaveLength(1));
    const expected = Array.from({ length: 3000 }, (_, n) => ({ n, text: 'x'.repeat(n % 300) }));
    for (const message of expected) {
      expect(client.link.send(message)).toBe(true);
      expect(server.links[0]?.send(message)).toBe(true);
    }
    await vi.waitFor(() => expect([client.messages.length, server.messages.length]).toEqual([3000, 3000]));
    expect(client.messages).toEqual(expected);
    expect(server.messages).toEqual(expected);
    expect([client.opens(), server.opens(), client.link.connected]).toEqual([1, 1, true]);
  });

  test('link: a thousand messages of one tick: a few reads at the far end', async () => {
    const { sockets } = await deafServer();
    const client = call();
    await vi.waitFor(() => expect(client.link.connected && sockets.length === 1).toBe(true));
    for (let n = 0; n < 1000; n++) client.link.send(n);
    expect(client.link.queuedBytes).toBeGreaterThan(5000);
    let reads = 0;
    let bytes = 0;
    sockets[0]?.on('data', (chunk) => {
      reads++;
      bytes += chunk.length;
    });
    sockets[0]?.resume();
    const expected = Array.from({ length: 1000 }, (_, n) => encodeFrame(n).length).reduce((a, b) => a + b);
    await vi.waitFor(() => expect(bytes).toBe(expected));
    expect(reads).toBeLessThan(20);
    await vi.waitFor(() => expect(client.link.queuedBytes).toBe(0));
  });

  test('link: bytes that arrive one by one: the message', async () => {
    const server = await serve();
    const client = await rawClient();
    const message = { kind: 'write', map: new Map([['k', new Uint8Array([1, 2])]]) };
    for (const byte of encodeFrame(message)) {
      await new Promise((resolve) => client.write(Buffer.of(byte), resolve));
    }
    await vi.waitFor(() => expect(server.messages).toEqual([message]));
  });

  test('link: broken bytes: that link closes with an error, the others live', async () => {
    const server = await serve();
    const client = call();
    for (const [bytes, code] of [
      [Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'LIMPET_FRAME_TOO_LARGE'],
      [Buffer.from([0, 0, 0, 2, 1, 1]), 'LIMPET_FRAME_BROKEN'],
      [encodeFrame('cut').subarray(0, 7), 'LIMPET_FRAME_BROKEN'],
    ] as const) {
      const count = server.closes.length;
      const raw = await rawClient();
      raw.end(bytes);
      await vi.waitFor(() => expect(server.closes).toHaveLength(count + 1));
      expect(codeOf(server.closes.at(-1))).toBe(code);
    }
    expect(client.link.send('still here')).toBe(true);
    await vi.waitFor(() => expect(server.messages).toEqual(['still here']));
  });

  test('link: exactly the bound waiting: sent; one byte more: dropped, and the link closes', async () => {
    await deafServer();
    const bytes = encodeFrame('x'.repeat(1000)).length;
    for (const [queuedBytesMax, sent] of [
      [bytes, true],
      [bytes - 1, false],
    ] as const) {
      const client = call({ queuedBytesMax, redial: false });
      await vi.waitFor(() => expect(client.link.connected).toBe(true));
      expect(client.link.send('x'.repeat(1000))).toBe(sent);
      expect(client.link.connected).toBe(sent);
    }
  });

  test('link: a reader that does not read: false at the bound, an error, and a new connection', async () => {
    const { sockets } = await deafServer();
    const client = call({ queuedBytesMax: 1_000_000 });
    await vi.waitFor(() => expect(client.link.connected).toBe(true));
    const message = new Uint8Array(50_000);
    let most = 0;
    let sent = 0;
    while (client.link.send(message)) {
      sent++;
      most = Math.max(most, client.link.queuedBytes);
      expect(sent).toBeLessThan(1000);
      if (sent % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(most).toBeLessThanOrEqual(1_000_000);
    expect(most).toBeGreaterThan(900_000);
    expect([client.link.send(1), client.link.connected]).toEqual([false, false]);
    await vi.waitFor(() => expect([client.opens(), sockets.length]).toEqual([2, 2]));
    expect(client.closes.map(codeOf)).toEqual(['LIMPET_LINK_OVERFLOW']);
    expect(client.link.queuedBytes).toBe(0);
  });

  test('link: closed right after sending: everything arrives, then both ends hear of an orderly end', async () => {
    const server = await serve();
    const client = call();
    await vi.waitFor(() => expect(client.link.connected).toBe(true));
    const message = new Uint8Array(10_000);
    for (let n = 0; n < 500; n++) client.link.send(message);
    client.link.close();
    expect([client.link.send(1), client.link.connected]).toEqual([false, false]);
    await vi.waitFor(() => expect(server.closes).toEqual([null]));
    expect(server.messages).toHaveLength(500);
    await vi.waitFor(() => expect(client.closes).toEqual([null]));
  });

  test('link: closed while the far end does not read: over within the linger time', async () => {
    await deafServer();
    const client = call();
    await vi.waitFor(() => expect(client.link.connected).toBe(true));
    for (let n = 0; n < 100; n++) client.link.send(new Uint8Array(50_000));
    client.link.close();
    await vi.waitFor(() => expect(client.closes).toEqual([null]), 3000);
  });

  test('link: closed by a handler in the middle of a read: no further message', async () => {
    const server = await serve();
    const messages: unknown[] = [];
    const link: Link<unknown, unknown> = dial<unknown, unknown>(path, {
      message: (message) => {
        messages.push(message);
        link.close();
      },
    });
    await vi.waitFor(() => expect(server.links[0]?.connected).toBe(true));
    for (let n = 0; n < 10; n++) server.links[0]?.send(n);
    await vi.waitFor(() => expect(server.closes).toHaveLength(1));
    expect(messages).toEqual([0]);
  });

  test('link: a handler throws in a process that survives it: the link starts over, no message is half read', async () => {
    const server = await serve();
    const source = `
      import { dial } from '@limpet/transport';
      process.on('uncaughtException', () => link.send('caught'));
      const link = dial(process.argv[1], {
        open: () => link.send('open'),
        message: (message) => { if (message === 0) throw new Error('bug'); link.send(message); },
        close: (error) => process.stdout.write(error.code),
      });
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', source, path], {
      cwd: import.meta.dirname,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    cleanups.push(() => child.kill('SIGKILL'));
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    await vi.waitFor(() => expect(server.messages).toEqual(['open']), 5000);
    for (let n = 0; n < 10; n++) server.links[0]?.send(n);
    await vi.waitFor(() => expect(server.messages).toEqual(['open', 'open']), 5000);
    server.links[1]?.send('again');
    await vi.waitFor(() => expect(server.messages).toEqual(['open', 'open', 'again']), 5000);
    await vi.waitFor(() => expect(output).toBe('LIMPET_FRAME_BROKEN'));
  });
});
