import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstat, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { dial } from './dial.ts';
import { type Listener, listen } from './listen.ts';

let folder: string;
let path: string;
const cleanups: (() => unknown)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'limpet-listen-'));
  path = join(folder, 's');
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await rm(folder, { recursive: true });
});

async function open(): Promise<Listener> {
  const listener = await listen<unknown, unknown>(path, () => ({ message: () => {} }));
  cleanups.push(() => listener.close());
  return listener;
}

/** Another process that listens on `path`. */
async function otherProcess(): Promise<ChildProcess> {
  const source = "require('net').createServer().listen(process.argv[1], () => process.stdout.write('up'))";
  const child = spawn(process.execPath, ['-e', source, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  cleanups.push(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child;
}

describe('listen', () => {
  test('listen: a new path: a socket of mode 0600, gone after close', async () => {
    const listener = await open();
    const file = await stat(path);
    expect(file.isSocket()).toBe(true);
    expect(file.mode & 0o777).toBe(0o600);
    await listener.close();
    await expect(lstat(path)).rejects.toThrow('ENOENT');
  });

  test('listen: somebody answers on the path: refused, and that one lives on', async () => {
    const child = await otherProcess();
    await expect(open()).rejects.toMatchObject({ code: 'LIMPET_SOCKET_IN_USE', detail: { path } });
    expect(child.exitCode).toBeNull();
    expect((await lstat(path)).isSocket()).toBe(true);
  });

  test('listen: the socket of a killed process: replaced', async () => {
    const child = await otherProcess();
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect((await lstat(path)).isSocket()).toBe(true);
    await open();
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test('listen: an ordinary file of that name: refused, and the file stays', async () => {
    await writeFile(path, 'precious');
    await expect(open()).rejects.toMatchObject({ code: 'EADDRINUSE' });
    expect(await readFile(path, 'utf8')).toBe('precious');
  });

  test('listen: a folder that does not exist, a path of 101 bytes: refused', async () => {
    await expect(listen(join(folder, 'no', 's'), () => ({ message: () => {} }))).rejects.toMatchObject({
      code: expect.stringMatching(/ENOENT|EACCES/),
    });
    await expect(listen(`/${'x'.repeat(100)}`, () => ({ message: () => {} }))).rejects.toMatchObject({
      code: 'LIMPET_SOCKET_PATH',
    });
  });

  test('listen: closed with links open: they end in order, and it resolves', async () => {
    const listener = await open();
    const closes: (Error | null)[] = [];
    const link = dial(path, { message: () => {}, close: (error) => closes.push(error) }, { redial: false });
    await vi.waitFor(() => expect(link.connected).toBe(true));
    await listener.close();
    await vi.waitFor(() => expect(closes).toEqual([null]));
  });
});
