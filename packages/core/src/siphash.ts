import { assert } from './unreachable.ts';

/** A 128-bit key, ready for use: two 64-bit words as pairs of 32 bits. Make it with `sipKey`; its fields are nobody else's. */
export interface SipKey {
  readonly k0Low: number;
  readonly k0High: number;
  readonly k1Low: number;
  readonly k1High: number;
}

/** 64 bits as two unsigned halves: a BigInt would cost an allocation and ten times the time on every request. */
export interface Sip64 {
  readonly high: number;
  readonly low: number;
}

export const sipKeyBytes = 16;

const word = (bytes: Uint8Array, at: number): number =>
  (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);

/** The key spelled by 16 bytes, in the byte order of the reference implementation. */
export function sipKey(bytes: Uint8Array): SipKey {
  assert(bytes.length === sipKeyBytes, `a SipHash key has ${sipKeyBytes} bytes, not ${bytes.length}`);
  return { k0Low: word(bytes, 0), k0High: word(bytes, 4), k1Low: word(bytes, 8), k1High: word(bytes, 12) };
}

/**
 * SipHash-2-4 of the first `length` bytes: a keyed hash whose outputs cannot be told from random without the key.
 * Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012). The test has the 64 reference vectors.
 */
export function sipHash(key: SipKey, bytes: Uint8Array, length: number = bytes.length): Sip64 {
  // Each 64-bit variable is a pair of signed 32-bit halves in locals: the whole state stays in machine registers.
  let v0l = key.k0Low ^ 0x70736575;
  let v0h = key.k0High ^ 0x736f6d65;
  let v1l = key.k1Low ^ 0x6e646f6d;
  let v1h = key.k1High ^ 0x646f7261;
  let v2l = key.k0Low ^ 0x6e657261;
  let v2h = key.k0High ^ 0x6c796765;
  let v3l = key.k1Low ^ 0x79746573;
  let v3h = key.k1High ^ 0x74656462;

  const whole = length >>> 3;
  // Blocks 0 … whole-1 are full, block `whole` holds the rest and the length, and one more stands for the finalisation.
  for (let block = 0; block <= whole + 1; block++) {
    const closing = block > whole;
    let ml = 0;
    let mh = 0;
    if (closing) {
      v2l ^= 0xff;
    } else if (block < whole) {
      ml = word(bytes, block << 3);
      mh = word(bytes, (block << 3) + 4);
    } else {
      for (let at = block << 3, shift = 0; at < length; at++, shift += 8) {
        if (shift < 32) ml |= (bytes[at] ?? 0) << shift;
        else mh |= (bytes[at] ?? 0) << (shift - 32);
      }
      mh |= (length & 0xff) << 24;
    }
    v3l ^= ml;
    v3h ^= mh;

    for (let round = closing ? 4 : 2; round > 0; round--) {
      let low = (v0l + v1l) | 0;
      v0h = (v0h + v1h + (low >>> 0 < v1l >>> 0 ? 1 : 0)) | 0;
      v0l = low;
      let swap = v1h;
      v1h = ((v1h << 13) | (v1l >>> 19)) ^ v0h;
      v1l = ((v1l << 13) | (swap >>> 19)) ^ v0l;
      swap = v0h;
      v0h = v0l;
      v0l = swap;

      low = (v2l + v3l) | 0;
      v2h = (v2h + v3h + (low >>> 0 < v3l >>> 0 ? 1 : 0)) | 0;
      v2l = low;
      swap = v3h;
      v3h = ((v3h << 16) | (v3l >>> 16)) ^ v2h;
      v3l = ((v3l << 16) | (swap >>> 16)) ^ v2l;

      low = (v0l + v3l) | 0;
      v0h = (v0h + v3h + (low >>> 0 < v3l >>> 0 ? 1 : 0)) | 0;
      v0l = low;
      swap = v3h;
      v3h = ((v3h << 21) | (v3l >>> 11)) ^ v0h;
      v3l = ((v3l << 21) | (swap >>> 11)) ^ v0l;

      low = (v2l + v1l) | 0;
      v2h = (v2h + v1h + (low >>> 0 < v1l >>> 0 ? 1 : 0)) | 0;
      v2l = low;
      swap = v1h;
      v1h = ((v1h << 17) | (v1l >>> 15)) ^ v2h;
      v1l = ((v1l << 17) | (swap >>> 15)) ^ v2l;
      swap = v2h;
      v2h = v2l;
      v2l = swap;
    }

    v0l ^= ml;
    v0h ^= mh;
  }
  return { high: (v0h ^ v1h ^ v2h ^ v3h) >>> 0, low: (v0l ^ v1l ^ v2l ^ v3l) >>> 0 };
}
