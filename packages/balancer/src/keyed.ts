import { createHash } from 'node:crypto';
import { assert, type Keyed, parseKeyed } from '@limpet/core';
import { replayBytesMax } from './limits.ts';
import type { RequestHead } from './request-head.ts';
import type { Body } from './upload.ts';

/** Bytes of a digest that are used: two keys of one session share them once in 2^64 keys. */
const digestBytes = 16;

const shorten = (digest: Buffer): string => digest.subarray(0, digestBytes).toString('base64url');

/**
 * The digests of a request's Idempotency-Key and of the request itself (method, target, body), null without a key. Of a body above
 * 64 KiB, which is still with the client, only its first 64 KiB and its length count.
 */
export function keyedOf({ method, path, key }: RequestHead, body: Body): Keyed | null {
  if (key === null || body.kind === 'broken') return null;
  const name = shorten(createHash('sha256').update(key).digest());
  const hash = createHash('sha256').update(`${method} ${path}\n`);
  if (body.kind === 'whole') hash.update(body.bytes);
  else hash.update(body.prefix.subarray(0, replayBytesMax)).update(`\n${body.length ?? 'chunked'}`);
  const keyed = parseKeyed(`${name}.${shorten(hash.digest())}`);
  assert(keyed !== null, '16 bytes in base64url are a name and a print');
  return keyed;
}
