import type { EventEmitter } from 'node:events';
import type { Client, Request } from 'autocannon';
import type { Effect } from './history.ts';
import type { Latency } from './latency.ts';
import type { Visitor } from './visitor.ts';

/** The part of autocannon's client that outlives a reconnection although it belongs to the old connection. */
interface Leftovers {
  readonly parser?: { reinitialize?(type: string): void };
  readonly pipelinedRequests?: { clear?(): void };
}

const paths: Readonly<Record<Effect, Pick<Request, 'method' | 'path'>>> = {
  add: { method: 'POST', path: '/api/counter' },
  read: { method: 'GET', path: '/api/counter' },
};

/**
 * Makes one connection of autocannon serve its own sessions, one after the other, one request at a time.
 *
 * autocannon has no cookie jar and no order over several sessions, but it asks `setupRequest` for each request after the
 * answer to the one before was given to `onResponse` (as `pipelining` is 1). So a single request that is set up
 * anew each time is a closed loop per connection, and, as no session belongs to two connections, per session.
 */
export function driveConnection(client: Client, visitors: readonly Visitor[], latency: Latency) {
  let turn = -1;
  let underWay: { readonly visitor: Visitor; readonly since: number } | null = null;
  let refused = false;

  /** The connection ended, or autocannon gave up waiting, before an answer came. */
  function giveUp(): void {
    if (!underWay) return;
    underWay.visitor.unanswered(!refused);
    underWay = null;
    const { parser, pipelinedRequests } = client as Leftovers;
    parser?.reinitialize?.('RESPONSE');
    pipelinedRequests?.clear?.();
  }

  function setupRequest(request: Request): Request {
    giveUp();
    refused = false;
    turn = (turn + 1) % visitors.length;
    const visitor = visitors[turn];
    if (!visitor) return request;
    underWay = { visitor, since: performance.now() };
    const shape = paths[visitor.ask()];
    const { cookie } = visitor;
    return {
      ...request,
      ...shape,
      headers: {
        accept: 'application/json',
        ...(cookie === null ? {} : { cookie }),
        ...(shape.method === 'POST' ? { 'content-length': '0' } : {}),
      },
    };
  }

  function onResponse(status: number, body: string, _context: object, headers: Request['headers']): void {
    if (!underWay) return;
    const { visitor, since } = underWay;
    underWay = null;
    latency.add(performance.now() - since);
    const values = (name: string): readonly string[] =>
      Object.entries(headers ?? {}).flatMap(([key, value]) => (key.toLowerCase() === name ? (value ?? []) : []));
    visitor.answered({ status, body, outcome: values('limpet-outcome')[0] ?? null }, values('set-cookie'));
  }

  // An event that autocannon's types do not list. Nothing listened, so nothing can have run.
  (client as EventEmitter).on('connError', (error: NodeJS.ErrnoException) => {
    refused = error.code === 'ECONNREFUSED';
  });
  client.setRequests([{ setupRequest, onResponse }]);

  return {
    /** The run is over. */
    finish(): void {
      underWay?.visitor.abandoned();
      underWay = null;
    },
  };
}
