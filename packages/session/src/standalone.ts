import { randomBytes } from 'node:crypto';
import { LimpetError, parseRequestId, type RequestId, sipKey } from '@limpet/core';
import { type Runtime, runtimeSymbol } from './context.ts';
import type { Engine } from './engine.ts';
import { createMemoryEngine } from './memory-engine.ts';
import { contract, loadedFrom, version } from './version.ts';

/** Limits of a session when no cluster says otherwise, in milliseconds. */
export const idleMsDefault = 30 * 60_000;
export const absoluteMsDefault = 12 * 60 * 60_000;
export const cookieNameDefault = 'JSESSIONID';

let checked: Runtime | null = null;
let alone: Engine | null = null;

/** The runtime of the worker this process is, or null. Throws LIMPET_TWO_COPIES when it is of another version. */
export function currentRuntime(): Runtime | null {
  const runtime = (globalThis as { [runtimeSymbol]?: Runtime })[runtimeSymbol];
  if (runtime === undefined) return null;
  if (runtime === checked) return runtime;
  if (runtime.contract !== contract || runtime.version !== version) {
    throw new LimpetError('LIMPET_TWO_COPIES', {
      runtime: `${runtime.version} (${runtime.path})`,
      app: `${version} (${loadedFrom})`,
    });
  }
  checked = runtime;
  return runtime;
}

/** Where sessions live when the app runs by itself: this process's memory, under keys nobody else has. */
export function standaloneEngine(): Engine {
  alone ??= createMemoryEngine({
    macKeys: [sipKey(randomBytes(16))],
    idleMs: idleMsDefault,
    absoluteMs: absoluteMsDefault,
  });
  return alone;
}

/** A request id for a request that no balancer has numbered. */
export function drawRequestId(): RequestId {
  const id = parseRequestId(randomBytes(16).toString('hex'));
  if (id === null) throw new Error('broken invariant: 16 random bytes are a request id');
  return id;
}
