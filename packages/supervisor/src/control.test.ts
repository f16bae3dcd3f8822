import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FromSupervisor, ToSupervisor } from '@limpet/core';
import { dial, socketPath } from '@limpet/transport';
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

/** What a process that greets is told. */
async function greet(hooks: Partial<ControlHooks>): Promise<FromSupervisor['kind'] | 'closed'> {
  control = new Control();
  await control.open(folder, { admit: () => true, message() {}, gone() {}, ...hooks });
  return new Promise((resolve) => {
    const link = dial<FromSupervisor, ToSupervisor>(
      socketPath(folder, 'control'),
      {
        open: () =>
          link.send({ kind: 'hello', role: 'keeper', name: 'n1', incarnation: 1, pid: 1, seen: null, version: '0' }),
        message: ({ kind }) => resolve(kind),
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
