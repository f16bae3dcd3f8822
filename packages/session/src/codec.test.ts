import { runInNewContext } from 'node:vm';
import { LimpetError } from '@limpet/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decode, encode, isSameEncoding } from './codec.ts';
import { depthMax } from './copyable.ts';

const again = (value: unknown): unknown => decode(encode('x', value));

function refusal(value: unknown): string {
  try {
    encode('cart', value);
  } catch (error) {
    if (!(error instanceof LimpetError) || error.code !== 'LIMPET_NOT_COPYABLE') throw error;
    return `${error.detail['path']}: ${error.detail['what']}`;
  }
  return 'accepted';
}

describe('codec: values that come back as they were', () => {
  const bytes = [1, 2, 3, 250];
  const values: readonly (readonly [string, unknown])[] = [
    ['undefined', undefined],
    ['null', null],
    ['true', true],
    ['an integer', 42],
    ['a fraction', 0.1],
    ['minus zero', -0],
    ['not a number', Number.NaN],
    ['infinity', Number.POSITIVE_INFINITY],
    ['a bigint', 2n ** 80n],
    ['a string', 'grüße 🐚'],
    ['a lone surrogate', '\ud800'],
    ['an object', { a: 1, b: { c: [1, { d: undefined }] } }],
    ['an array', [1, 'two', null, undefined]],
    ['an array with holes', Object.assign([], { 0: 1, 2: 3 })],
    ['an array with a name', Object.assign([1], { index: 4 })],
    ['a date', new Date(1_700_000_000_123)],
    ['an invalid date', new Date(Number.NaN)],
    [
      'a map',
      new Map<unknown, unknown>([
        ['a', 1],
        [{ k: 1 }, new Map([[1, 2]])],
      ]),
    ],
    ['a set', new Set<unknown>([1, 'a', { b: 2 }])],
    ['a regular expression', /limp(et)?/giu],
    ['a boxed number', Object(7)],
    ['a boxed string', Object('seven')],
    ['a boxed boolean', Object(false)],
    ['a boxed bigint', Object(7n)],
    ['a buffer', Buffer.from('limpet')],
    ['an empty buffer', Buffer.alloc(0)],
    ['an array buffer', Uint8Array.from(bytes).buffer],
    ['a data view', new DataView(Uint8Array.from(bytes).buffer, 1, 2)],
    ['int8', Int8Array.from(bytes)],
    ['uint8', Uint8Array.from(bytes)],
    ['uint8 clamped', Uint8ClampedArray.from(bytes)],
    ['int16', Int16Array.from(bytes)],
    ['uint16', Uint16Array.from(bytes)],
    ['int32', Int32Array.from(bytes)],
    ['uint32', Uint32Array.from(bytes)],
    ['float32', Float32Array.from(bytes)],
    ['float64', Float64Array.from(bytes)],
    ['bigint64', BigInt64Array.from([-1n, 2n])],
    ['biguint64', BigUint64Array.from([1n, 2n])],
  ];

  test.each(values)('codec: %s: comes back with its type', (_, value) => {
    const back = again(value);
    expect(back).toStrictEqual(value);
    if (typeof value === 'object' && value !== null)
      expect(Object.getPrototypeOf(back)).toBe(Object.getPrototypeOf(value));
    expect(Buffer.isBuffer(back)).toBe(Buffer.isBuffer(value));
  });

  test('codec: a cycle and a shared reference: are one object again', () => {
    const shared = { n: 1 };
    const value: Record<string, unknown> = { left: shared, right: shared };
    value['self'] = value;
    const back = again(value) as typeof value;
    expect(back['self']).toBe(back);
    expect(back['left']).toBe(back['right']);
  });

  test('codec: an object without a prototype: comes back as a plain object', () => {
    expect(again(Object.assign(Object.create(null), { a: 1 }))).toStrictEqual({ a: 1 });
  });

  test('codec: plain values of another realm: are accepted', () => {
    const value: unknown = runInNewContext(
      '({ at: new Date(5), list: [new Map([[1, new Set([2])]])], r: /a/, b: new Uint8Array(2) })',
    );
    expect(again(value)).toEqual({
      at: new Date(5),
      list: [new Map([[1, new Set([2])]])],
      r: /a/,
      b: new Uint8Array(2),
    });
  });

  test('codec: a decoded view: has memory of its own', () => {
    const bytes = encode('x', { view: Uint8Array.from([1, 2, 3]), buffer: Buffer.from('abc') });
    const before = Buffer.from(bytes);
    const back = decode(bytes) as { view: Uint8Array; buffer: Buffer };
    back.view.fill(9);
    back.buffer.fill('z');
    expect(isSameEncoding(bytes, before)).toBe(true);
    expect(back.view.buffer.byteLength).toBe(3);
  });
});

describe('codec: values that are refused', () => {
  class Cart {
    items = [];
  }
  const loop = new Proxy({ a: 1 }, {});
  const deep = (levels: number): unknown => (levels === 0 ? 1 : { d: deep(levels - 1) });
  const refused: readonly (readonly [string, unknown, string])[] = [
    ['a function', () => 1, 'cart: a function'],
    ['a nested function', { items: [1, 2, 3, { callback() {} }] }, 'cart.items[3].callback: a function (callback)'],
    ['a symbol', { kind: Symbol('s') }, 'cart.kind: a symbol'],
    ['a name that is a symbol', { [Symbol('s')]: 1 }, 'cart[Symbol(s)]: a property named by a symbol'],
    ['an instance', { cart: new Cart() }, 'cart.cart: an instance of Cart'],
    ['an array of another class', [new (class Stack extends Array {})()], 'cart[0]: an instance of Stack'],
    ['a map of another class', new (class Lru extends Map {})(), 'cart: an instance of Lru'],
    ['an error', { failure: new TypeError('no') }, 'cart.failure: an Error (TypeError)'],
    ['a promise', { later: Promise.resolve() }, 'cart.later: a Promise'],
    ['a weak map', new WeakMap(), 'cart: an instance of WeakMap'],
    ['a url', new Map([['home', new URL('http://limpet.test')]]), 'cart.get(home): an instance of URL'],
    ['a member of a set', new Set([() => 1]), 'cart.values(): a function'],
    ['a stream', { out: process.stdout }, 'cart.out: an instance of '],
    ['shared memory', new SharedArrayBuffer(4), 'cart: an instance of SharedArrayBuffer'],
    ['a proxy', { odd: { one: loop } }, 'cart.odd.one: a Proxy'],
    ['a named property of an array', Object.assign([1], { fn: () => 1 }), 'cart[fn]: a function'],
    ['a key that needs quotes', { 'a b': () => 1 }, 'cart["a b"]: a function'],
    ['too deep', deep(depthMax + 1), `: data nested deeper than ${depthMax} levels`],
  ];

  test.each(refused)('codec: %s: names the path', (_, value, expected) => {
    expect(refusal(value)).toContain(expected);
  });

  test('codec: a sparse array of enormous length: is looked at quickly', () => {
    const sparse: unknown[] = [];
    sparse[4_000_000_000] = 1;
    const startedAt = performance.now();
    expect(refusal({ sparse })).toBe('accepted');
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });
});

describe('codec: pollution', () => {
  const payloads = [
    '{"__proto__":{"polluted":true}}',
    '{"a":{"__proto__":{"polluted":true},"b":1}}',
    '{"constructor":{"prototype":{"polluted":true}}}',
    '[{"__proto__":[{"polluted":true}]}]',
  ];
  test.each(payloads)('codec: payload %s: changes no prototype', (payload) => {
    const back = again(JSON.parse(payload));
    expect(JSON.stringify(back)).toBe(payload);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect((back as { polluted?: unknown }).polluted).toBeUndefined();
    expect([Object.prototype, Array.prototype]).toContain(Object.getPrototypeOf(back));
  });
});

describe('codec: settled bytes', () => {
  test('codec: a whole number held as a double: encodes as the integer it is read as', () => {
    const [double] = new Float64Array([-1]);
    const box = { half: 1.5, whole: 0.5 };
    box.whole += box.half - 1;
    for (const original of [double, box, [box.whole, double], { list: [1.5, 1] }]) {
      const bytes = encode('x', original);
      expect(Buffer.from(encode('x', decode(bytes))).equals(bytes)).toBe(true);
    }
  });

  const dates = fc.date({ noInvalidDate: false });
  const value = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withTypedArray: true,
    withSparseArray: true,
    withNullPrototype: true,
  });
  test('codec: any value, decoded: encodes to the same bytes', () => {
    fc.assert(
      fc.property(fc.oneof(value, fc.array(value), dates), (original) => {
        const bytes = encode('x', original);
        expect(Buffer.from(encode('x', decode(bytes))).equals(bytes)).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });
});
