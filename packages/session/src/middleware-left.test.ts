import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { sipKey } from '@limpet/core';
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

test('middleware: the client left while its session was being loaded: its handler does not run, and nothing stays open', async () => {
  const memory = createMemoryEngine({ macKeys: [sipKey(new Uint8Array(16))], idleMs: 60_000, absoluteMs: 600_000 });
  const id = memory.mint(null);
  let loaded: (held: Held | null) => void = () => {};
  const engine = new Proxy(memory, {
    get: (_, name) => {
      if (name === 'open') return () => new Promise<Held | null>((resolve) => (loaded = resolve));
      const value: unknown = Reflect.get(memory, name);
      return typeof value === 'function' ? value.bind(memory) : value;
    },
  });
  const request = nextRequest();
  const context: RequestContext = {
    request,
    session: id,
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
  const res = new ServerResponse(req);
  let handled = 0;
  session()(req, res, () => {
    handled += 1;
  });
  // The connection ends, and the reception closes what was opened.
  context.isOver = true;
  loaded(null);
  await new Promise((resolve) => setImmediate(resolve));
  expect(handled).toBe(0);
  expect(context.participant).toBeNull();
});
