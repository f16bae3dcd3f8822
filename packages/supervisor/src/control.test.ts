import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FromSupervisor, ToSupervisor } from '@limpet/core';
import { dial, Prover, socketPath, whoOf } from '@limpet/transport';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Control, type ControlHooks } from './control.ts';

let folder: string;
let control: Control;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'limpet-control-'));
});
afterEach(async () => {
  await control.close();
  rmSync(folder, { recursive: true, force: true });
});

const settled: FromSupervisor = { kind: 'settled', view: { term: 1, number: 1 }, whole: true };

const proofKey = new Uint8Array(16).fill(1);
const me = { role: 'keeper', name: 'n1', incarnation: 1 } as const;

const welcomed: ControlHooks['admit'] = (_, peer) => {
  peer.send(settled);
  return true;
};

/** What a process that greets is told, last of all; `key`: what it has been welcomed with before. */
async function greet(
  hooks: Partial<ControlHooks>,
  key: Uint8Array | null = null,
): Promise<FromSupervisor['kind'] | 'closed'> {
  control = new Control(proofKey);
  await control.open(folder, { admit: () => true, refused() {}, message() {}, gone() {}, ...hooks });
  const prover = new Prover(whoOf(me), () => key);
  return new Promise((resolve) => {
    const link = dial<FromSupervisor, ToSupervisor>(
      socketPath(folder, 'control'),
      {
        open() {
          const nonce = prover.begin();
          link.send({ kind: 'hello', ...me, pid: 1, seen: null, settled: null, nonce, version: '0' });
        },
        message(message) {
          if (message.kind === 'challenge') link.send({ kind: 'proof', proof: prover.answer(message) });
          else resolve(message.kind);
        },
        close: () => resolve('closed'),
      },
      { redial: false, unref: true },
    );
  });
}

test('control: a greeting that a view was waiting for: whoever greeted gets that view too', async () => {
  const told = await greet({
    admit() {
      control.broadcast(settled);
      return true;
    },
  });
  expect(told).toBe('settled');
});

test('control: a greeting that is not admitted: closed, and nothing is sent to it afterwards', async () => {
  const told = await greet({ admit: () => false });
  expect(told).toBe('closed');
  expect(control.of('keeper')).toEqual([]);
});

test('control: a process with the same keys: proven before it is admitted', async () => {
  const told = await greet({ admit: welcomed }, proofKey);
  expect(told).toBe('settled');
  expect(control.of('keeper').map(({ isProven }) => isProven)).toEqual([true]);
});

test('control: a process with other keys: not admitted, and its supervisor is told', async () => {
  const refused: string[] = [];
  const hooks = { admit: () => expect.unreachable(), refused: (hello: { name: string }) => refused.push(hello.name) };
  expect(await greet(hooks, new Uint8Array(16).fill(2))).toBe('closed');
  expect(refused).toEqual(['n1']);
});

test('control: a process without keys: admitted as one that has proven nothing', async () => {
  await greet({ admit: welcomed });
  expect(control.of('keeper').map(({ isProven }) => isProven)).toEqual([false]);
});
