import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { bindPort, type Listener } from './listener.ts';

const children: ChildProcess[] = [];
const listeners: Listener[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const listener of listeners.splice(0)) listener.close();
});

async function bind(port = 0): Promise<Listener> {
  const listener = await bindPort('127.0.0.1', port);
  listeners.push(listener);
  return listener;
}

/** A process that accepts on descriptor 3 and answers with its pid. */
async function accept(fd: number): Promise<ChildProcess> {
  const code = `require('node:net').createServer((s) => s.end(String(process.pid))).listen({ fd: 3 }, () => console.log('up'))`;
  const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit', fd] });
  children.push(child);
  if (child.stdout === null) throw new Error('no output');
  await once(child.stdout, 'data');
  return child;
}

function ask(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.on('data', (data) => {
      text += String(data);
    });
    socket.on('end', () => resolve(text)).on('error', reject);
  });
}

describe('listener', () => {
  test('inherited descriptor: the only acceptor is killed: the next one serves who waited', async () => {
    const { fd, port } = await bind();
    const first = await accept(fd);
    expect(await ask(port)).toBe(String(first.pid));
    first.kill('SIGKILL');
    await once(first, 'exit');
    const waiting = ask(port);
    const second = await accept(fd);
    expect(await waiting).toBe(String(second.pid));
  });

  test('port in use: says which, and what to do', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const address = other.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    try {
      await expect(bind(port)).rejects.toMatchObject({
        code: 'LIMPET_PORT_IN_USE',
        message: `port ${port} on 127.0.0.1 is in use by another program: stop that one, or choose another port with --port`,
      });
    } finally {
      other.close();
    }
  });

  test('address that is not of this machine: refused with the reason', async () => {
    await expect(bindPort('192.0.2.1', 0)).rejects.toMatchObject({ code: 'LIMPET_PORT_REFUSED' });
  });
});
