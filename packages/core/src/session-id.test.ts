import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { armMax, formatSessionId, parseSessionId, placementOf, sessionIdCharacters, shortHash } from './session-id.ts';
import { sipHash, sipKey } from './siphash.ts';

const signing = sipKey(new Uint8Array(16).fill(1));
const former = sipKey(new Uint8Array(16).fill(2));
const foreign = sipKey(new Uint8Array(16).fill(3));

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const parts = fc.record({
  arm: fc.integer({ min: 0, max: armMax }),
  placement: fc.uint8Array({ minLength: 5, maxLength: 5 }),
  random: fc.uint8Array({ minLength: 16, maxLength: 16 }),
});
const example = formatSessionId(
  { arm: 0, placement: Uint8Array.of(1, 2, 3, 4, 5), random: new Uint8Array(16).fill(9) },
  signing,
);

describe('session id', () => {
  test('session id: known parts and key: the same 40 characters for ever', () => {
    expect(example).toBe('EAECAwQFCQkJCQkJCQkJCQkJCQkJCQ1BEQWCQhoW');
    expect(shortHash(example)).toBe('ecbe225e');
  });

  test('session id: any parts: 40 base64url characters that parse, with their placement', () => {
    fc.assert(
      fc.property(parts, (input) => {
        const id = formatSessionId(input, signing);
        expect(id).toMatch(/^[A-Za-z0-9_-]{40}$/);
        expect(parseSessionId(id, [signing])).toBe(id);
        expect(placementOf(id)).toEqual(input.placement);
        const bytes = new Uint8Array(Buffer.from(id, 'base64url'));
        expect(bytes[0]).toBe(0x10 | input.arm);
        expect(bytes.subarray(6, 22)).toEqual(input.random);
      }),
    );
  });

  test('session id: several keys: each one verifies, a foreign one or none does not', () => {
    const old = formatSessionId({ arm: 3, placement: new Uint8Array(5), random: new Uint8Array(16) }, former);
    expect(parseSessionId(old, [signing, former])).toBe(old);
    expect(parseSessionId(example, [signing, former])).toBe(example);
    expect(parseSessionId(old, [signing])).toBeNull();
    expect(parseSessionId(example, [foreign])).toBeNull();
    expect(parseSessionId(example, [])).toBeNull();
    expect(parseSessionId(example, [signing, signing])).toBe(example);
  });

  test('session id: any one character changed: refused, so there is one spelling', () => {
    for (let at = 0; at < sessionIdCharacters; at++) {
      for (const character of `${alphabet}=+/. ;\u0000é\u{d800}`) {
        if (character === example[at]) continue;
        const changed = example.slice(0, at) + character + example.slice(at + 1);
        expect(parseSessionId(changed, [signing])).toBeNull();
      }
    }
  });

  test('session id: another version with a right MAC: refused', () => {
    const signed = (first: number) => {
      const bytes = Buffer.alloc(30, 5);
      bytes[0] = first;
      const mac = sipHash(signing, bytes, 22);
      bytes.writeUInt32LE(mac.low, 22);
      bytes.writeUInt32LE(mac.high, 26);
      return bytes.toString('base64url');
    };
    for (let arm = 0; arm <= armMax; arm++) {
      expect(parseSessionId(signed(0x10 | arm), [signing])).toBe(signed(0x10 | arm));
      for (const version of [0, 2, 3, 5, 9, 15]) {
        expect(parseSessionId(signed((version << 4) | arm), [signing])).toBeNull();
      }
    }
  });

  test('session id: any text at all: null, never an exception', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 90 }),
      fc.string({ unit: fc.constantFrom(...alphabet), minLength: 40, maxLength: 40 }),
      fc.string({ unit: 'grapheme', minLength: 40, maxLength: 40 }),
    );
    fc.assert(fc.property(text, (input) => parseSessionId(input, [signing, former]) === null));
    expect(parseSessionId(`${example}=`, [signing])).toBeNull();
    expect(parseSessionId('', [signing])).toBeNull();
  });

  test('session id: parts of a wrong size: refused where they are made', () => {
    const good = { arm: 0, placement: new Uint8Array(5), random: new Uint8Array(16) };
    expect(() => formatSessionId({ ...good, arm: 16 }, signing)).toThrow('arm');
    expect(() => formatSessionId({ ...good, placement: new Uint8Array(6) }, signing)).toThrow('placement');
    expect(() => formatSessionId({ ...good, random: new Uint8Array(15) }, signing)).toThrow('random');
  });

  test('session id: its name in logs: 8 hex digits, no part of the id, different for different ids', () => {
    const names = new Set<string>();
    for (let n = 0; n < 1000; n++) {
      const random = new Uint8Array(16);
      random[0] = n;
      random[1] = n >>> 8;
      const id = formatSessionId({ arm: 0, placement: new Uint8Array(5), random }, signing);
      expect(shortHash(id)).toMatch(/^[0-9a-f]{8}$/);
      names.add(shortHash(id));
    }
    expect(names.size).toBe(1000);
  });
});
