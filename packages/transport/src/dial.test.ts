import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { dial } from './dial.ts';
import type { Link } from './link.ts';
import { listen } from './listen.ts';

let folder: string;
let path: string;
const cleanups: (() => unknown)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'limpet-dial-'));
  path = join(folder, 's');
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await rm(folder, { recursive: true });
});

/** A listener that sends every message back. */
async function echo() {
  const listener = await listen<unknown, unknown>(path, (link) => ({
    message: (message) => {
      link.send(message);
    },
  }));
  cleanups.push(() => listener.close());
  return listener;
}

function call(options?: Parameters<typeof dial>[2]) {
  const log: string[] = [];
  const link: Link<unknown, unknown> = dial<unknown, unknown>(
    path,
    {
      open: () => log.push('open'),
      message: (message) => log.push(`message ${message}`),
      close: (error) => log.push(error === null ? 'close' : `error ${'code' in error ? error.code : error.message}`),
    },
    options,
  );
  cleanups.push(() => link.close());
  return { log, link };
}

describe('dial', () => {
  test('dial: before anybody listens: connected as soon as somebody does', async () => {
    const { log, link } = call();
    expect([link.connected, link.send(1), link.queuedBytes]).toEqual([false, false, 0]);
    await echo();
    await vi.waitFor(() => expect(log).toEqual(['open']));
    expect(link.send(1)).toBe(true);
    await vi.waitFor(() => expect(log).toEqual(['open', 'message 1']));
  });

  test('dial: the listener goes and comes back: a new connection each time', async () => {
    const { log, link } = call();
    for (let round = 0; round < 3; round++) {
      log.length = 0;
      const listener = await echo();
      await vi.waitFor(() => expect(log).toEqual(['open']));
      link.send(round);
      await vi.waitFor(() => expect(log).toEqual(['open', `message ${round}`]));
      await listener.close();
      await vi.waitFor(() => expect(log).toEqual(['open', `message ${round}`, 'close']));
      expect([link.connected, link.send('lost')]).toEqual([false, false]);
    }
  });

  test('dial: without redial: one attempt, its failure told; one connection, its end told', async () => {
    const failed = call({ redial: false });
    await vi.waitFor(() => expect(failed.log).toEqual(['error ENOENT']));
    const listener = await echo();
    const { log } = call({ redial: false });
    await vi.waitFor(() => expect(log).toEqual(['open']));
    await listener.close();
    await vi.waitFor(() => expect(log).toEqual(['open', 'close']));
    await echo();
    const third = call();
    await vi.waitFor(() => expect(third.log).toEqual(['open']));
    expect(log).toEqual(['open', 'close']);
    expect(failed.log).toEqual(['error ENOENT']);
  });

  test('dial: closed while it waits, while it connects: never open', async () => {
    const waiting = call();
    waiting.link.close();
    await echo();
    const connecting = call();
    connecting.link.close();
    const other = call();
    await vi.waitFor(() => expect(other.log).toEqual(['open']));
    expect([waiting.log, connecting.log]).toEqual([[], []]);
  });

  test('dial: a far end that hangs up at once: ever longer pauses, no spinning', async () => {
    const times: number[] = [];
    const server = createServer((socket) => {
      times.push(performance.now());
      socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    cleanups.push(() => new Promise((resolve) => server.close(resolve)));
    call();
    await vi.waitFor(() => expect(times.length).toBeGreaterThanOrEqual(8), 5000);
    // 5 + 10 + 20 + 40 + 80 + 160 + 250 ms, less what timers round off.
    expect((times[7] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(500);
  });

  test('dial: a path of 101 bytes: refused at once', () => {
    expect(() => dial(`/${'x'.repeat(100)}`, { message: () => {} })).toThrow('101 bytes');
  });

  test('dial: unref, connected or not: the process ends', async () => {
    await echo();
    for (const target of [path, join(folder, 'nobody')]) {
      const source = `
        import { dial } from '@limpet/transport';
        const link = dial(process.argv[1], { open: () => process.stdout.write('open'), message: () => {} }, { unref: true });
        if (!process.argv[1].endsWith('nobody')) while (!link.connected) await new Promise((resolve) => setImmediate(resolve));
      `;
      const child = spawn(process.execPath, ['--input-type=module', '-e', source, target], {
        cwd: import.meta.dirname,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      cleanups.push(() => child.kill('SIGKILL'));
      let output = '';
      child.stdout.on('data', (chunk) => {
        output += chunk;
      });
      expect(await once(child, 'close')).toEqual([0, null]);
      expect(output).toBe(target === path ? 'open' : '');
    }
  });
});
