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

test('middleware: the client left while its session was being loaded: what is opened and made is closed when the handler is done', async () => {
  const memory = createMemoryEngine({ macKeys: [sipKey(new Uint8Array(16))], idleMs: 60_000, absoluteMs: 600_000 });
  const id = memory.mint(null);
  const closed: string[] = [];
  let loaded: (held: Held | null) => void = () => {};
  const engine = new Proxy(memory, {
    get: (_, name) => {
      if (name === 'open') return () => new Promise<Held | null>((resolve) => (loaded = resolve));
      if (name === 'close') return (session: string) => closed.push(session);
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
  const handled = new Promise<void>((resolve) => session()(req, res, () => resolve()));
  // The connection ends: nobody takes part yet.
  context.isOver = true;
  loaded(null);
  await handled;
  Object.assign(req.session, { cart: ['book'] });
  const made = req.sessionID;
  expect(closed).toEqual([]);
  res.end('nobody reads this');
  expect(closed.sort()).toEqual([id, made].sort());
});
