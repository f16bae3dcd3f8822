import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeCompact, encodeCompact, Unencodable } from './compact.ts';
import { names } from './names.ts';

const again = (value: unknown): unknown => decodeCompact(encodeCompact(value, 0), 0);

const leaf = fc.oneof(
  fc.constantFrom(null, undefined, true, false, -0, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, -(2 ** 53 - 1)),
  fc.maxSafeInteger(),
  fc.double(),
  fc.string({ unit: 'binary' }),
  fc.string({ minLength: 90, maxLength: 140 }),
  fc.constantFrom(...names),
  fc.uint8Array(),
);
const key = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(...names, '__proto__', 'constructor'));
const { message } = fc.letrec((tie) => ({
  message: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.array(tie('message'), { maxLength: 5 }),
    fc.dictionary(key, tie('message'), { maxKeys: 5 }),
    fc.array(fc.tuple(leaf, tie('message')), { maxLength: 4 }).map((entries) => new Map(entries)),
  ),
}));

describe('compact', () => {
  test('any message: comes back as it was', () => {
    fc.assert(
      fc.property(message, (original) => {
        const plain = typeof original === 'object' && original !== null ? structuredClone(original) : original;
        expect(isDeepStrictEqual(again(original), plain)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ['a date', new Date(0)],
    ['a set', new Set([1])],
    ['a big integer', 1n],
    ['a function', () => 1],
    ['words', new Uint16Array(2)],
    ['half a character', '\ud83d'],
    ['an instance', new (class Cart {})()],
    ['an error', new Error('no')],
  ])('%s: is left to the other format', (_, value) => {
    expect(() => encodeCompact({ inside: [value] }, 0)).toThrow(Unencodable);
  });

  test('a ring: is refused, not followed for ever', () => {
    const ring: unknown[] = [];
    ring.push(ring);
    expect(() => encodeCompact(ring, 0)).toThrow(Unencodable);
  });

  test('__proto__ as a name: is a property, and changes no prototype', () => {
    const back = again(JSON.parse('{"__proto__":{"polluted":true}}'));
    expect(Object.keys(back as object)).toEqual(['__proto__']);
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype);
    expect((back as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test('byte arrays: have memory of their own', () => {
    const bytes = encodeCompact(new Uint8Array([1, 2, 3]), 0);
    const back = decodeCompact(bytes, 0) as Uint8Array;
    bytes.fill(9);
    expect([...back]).toEqual([1, 2, 3]);
    expect(back.buffer.byteLength).toBe(3);
    expect(Buffer.isBuffer(back)).toBe(false);
  });

  test('two messages, a large one between: do not show through each other', () => {
    const first = encodeCompact({ id: 'a' }, 4);
    const large = encodeCompact(new Uint8Array(300_000).fill(7), 4);
    const second = encodeCompact({ id: 'b' }, 4);
    expect(decodeCompact(first, 4)).toEqual({ id: 'a' });
    expect((decodeCompact(large, 4) as Uint8Array).every((byte) => byte === 7)).toBe(true);
    expect(decodeCompact(second, 4)).toEqual({ id: 'b' });
  });

  test('cut anywhere: is refused', () => {
    fc.assert(
      fc.property(message, fc.nat(), (original, where) => {
        const bytes = encodeCompact(original, 0);
        expect(() => decodeCompact(bytes.subarray(0, where % bytes.length), 0)).toThrow();
      }),
      { numRuns: 500 },
    );
  });

  test('any bytes: give a value or an error, soon', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decodeCompact(bytes, 0);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
          expect(error).not.toBeInstanceOf(RangeError);
        }
      }),
      { numRuns: 5_000 },
    );
  });

  test('the words: few enough for a byte, none twice', () => {
    expect(names.length).toBeLessThanOrEqual(256);
    expect(new Set(names).size).toBe(names.length);
  });
});
