import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { assert, findSession, isReplayable, parseRequestId, type RequestId } from '@limpet/core';
import type { Passage } from './exchange.ts';
import { plainAddress } from './forwarded.ts';
import { keyedOf } from './keyed.ts';
import type { Relay } from './relay.ts';
import type { RawHead, RequestHead } from './request-head.ts';
import type { Body } from './upload.ts';

/** A fresh request id: 128 random bits. */
export function newRequestId(): RequestId {
  const id = parseRequestId(randomBytes(16).toString('hex'));
  assert(id !== null, '16 bytes in hex are a request id');
  return id;
}

/** The raw parts of a request that its upstream head is built from. */
export const rawHeadOf = (request: IncomingMessage): RawHead => ({
  method: request.method ?? '',
  url: request.url ?? '',
  httpVersion: request.httpVersion,
  rawHeaders: request.rawHeaders,
  address: plainAddress(request.socket.remoteAddress),
  isSecure: request.socket instanceof TLSSocket,
});

/** A request ready to travel: with an id of its own, its verified session, and what is known of running it again. */
export function passageOf(shared: Relay, head: RequestHead, body: Body): Passage {
  const { settings } = shared.cluster;
  const session = settings === null ? null : findSession(head.sessionHeader, head.cookie, settings);
  const keyed = keyedOf(head, body);
  const declared = keyed !== null || isReplayable(settings?.replayable ?? [], head.method, head.path);
  return { id: newRequestId(), head, session, body, keyed, declared, replayable: true, extra: [] };
}
