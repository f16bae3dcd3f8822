import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { type ErrorCode, LimpetError, sipKey } from '@limpet/core';
import { afterEach, expect, test } from 'vitest';
import { type RequestContext, runtimeSymbol } from './context.ts';
import type { Held } from './engine.ts';
import { nextRequest } from './engine-compliance.test-suite.ts';
import { createMemoryEngine } from './memory-engine.ts';
import { session } from './middleware.ts';
import { contract, loadedFrom, version } from './version.ts';

afterEach(() => {
  Reflect.deleteProperty(globalThis, runtimeSymbol);
});

/** A request at `session()` whose session is being loaded. `handled`: what `next` was called with. */
function arrive() {
  const memory = createMemoryEngine({ macKeys: [sipKey(new Uint8Array(16))], idleMs: 60_000, absoluteMs: 600_000 });
  let loaded: (held: Held | null) => void = () => {};
  let failed: (error: unknown) => void = () => {};
  const opening = new Promise<Held | null>((resolve, reject) => {
    loaded = resolve;
    failed = reject;
  });
  const engine = new Proxy(memory, {
    get: (_, name) => {
      if (name === 'open') return () => opening;
      const value: unknown = Reflect.get(memory, name);
      return typeof value === 'function' ? value.bind(memory) : value;
    },
  });
  const context: RequestContext = {
    request: nextRequest(),
    session: memory.mint(null),
    keyed: null,
    waitLeftMs: 1_000,
    participant: null,
    isOver: false,
  };
  const runtime = { contract, version, path: loadedFrom, node: 'n1', engine, cookieName: 'limpet', headerName: null };
  Object.assign(globalThis, {
    [runtimeSymbol]: { ...runtime, contextOf: () => context, placement: () => null, diedAgoMs: () => null },
  });
  const req = new IncomingMessage(new Socket());
  const handled: unknown[] = [];
  session()(req, new ServerResponse(req), (error) => handled.push(error));
  return { context, handled, loaded, failed };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('middleware: the client left while its session was being loaded: its handler does not run, and nothing stays open', async () => {
  const { context, handled, loaded } = arrive();
  // The connection ends, and the reception closes what was opened.
  context.isOver = true;
  loaded(null);
  await turn();
  expect(handled).toEqual([]);
  expect(context.participant).toBeNull();
});

const causes: readonly (readonly [ErrorCode, string])[] = [
  ['LIMPET_MOVED', 'moved'],
  ['LIMPET_DEADLINE', 'deadline'],
];
test.each(causes)(
  'middleware: %s while the session was being loaded: the app is told, and its answer is not the client’s',
  async (code, why) => {
    const { context, handled, failed } = arrive();
    const error = new LimpetError(code, { ms: 1_000, what: 'the session could not be loaded' });
    failed(error);
    await turn();
    expect(handled).toEqual([error]);
    expect(context.participant?.reach(null)).toEqual({ kind: 'unloaded', why });
  },
);
