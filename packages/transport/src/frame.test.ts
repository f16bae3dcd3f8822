import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeFrame, FrameReader, frameBytesMax } from './frame.ts';

function collector() {
  const messages: unknown[] = [];
  return { messages, reader: new FrameReader((message) => messages.push(message)) };
}

const head = (bytes: number) => {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(bytes);
  return buffer;
};

describe('frame', () => {
  test('frame: any messages cut anywhere: the same messages in order', () => {
    const message = fc.oneof(fc.jsonValue(), fc.uint8Array(), fc.string({ unit: 'binary' }), fc.constant(undefined));
    fc.assert(
      fc.property(fc.array(message), fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }), (sent, cuts) => {
        const stream = Buffer.concat(sent.map((each) => encodeFrame(each)));
        const { messages, reader } = collector();
        for (let at = 0, turn = 0; at < stream.length; turn++) {
          const size = cuts[turn % cuts.length] ?? 1;
          expect(reader.feed(stream.subarray(at, at + size))).toBeNull();
          at += size;
        }
        expect(messages).toEqual(sent);
        expect(reader.isInside).toBe(false);
      }),
    );
  });

  test('frame: 10,000 frames in one read: all of them', () => {
    const { messages, reader } = collector();
    const frames = Array.from({ length: 10_000 }, (_, n) => encodeFrame({ n }));
    expect(reader.feed(Buffer.concat(frames))).toBeNull();
    expect(messages).toHaveLength(10_000);
    expect(messages.at(-1)).toEqual({ n: 9999 });
  });

  test('frame: a large one byte by byte: each byte costs the same', () => {
    const costOf = (bytes: number) => {
      const { messages, reader } = collector();
      const frame = encodeFrame(new Uint8Array(bytes));
      const from = process.cpuUsage();
      for (let at = 0; at < frame.length; at++) reader.feed(frame.subarray(at, at + 1));
      expect(messages).toHaveLength(1);
      return process.cpuUsage(from).user;
    };
    costOf(50_000);
    // Processor time, not the clock. Quadratic work would make it 32 times as much per byte; twelve times is allowed.
    expect(costOf(1_600_000)).toBeLessThan(32 * Math.max(costOf(50_000), 4_000) * 12);
  });

  test('frame: maps, sets, dates, big integers, typed arrays, Buffers: as they were', () => {
    const { messages, reader } = collector();
    const pool = Buffer.from('in a pool');
    const sent = {
      map: new Map<unknown, unknown>([
        ['a', new Map([[1, 2]])],
        [2, new Set(['x'])],
      ]),
      date: new Date(5),
      big: 2n ** 70n,
      bytes: new Uint8Array([1, 2, 3]).subarray(1),
      floats: new Float64Array([1.5, -0]),
      words: new Uint16Array([1, 65535]),
      view: new DataView(new Uint8Array([9, 8, 7]).buffer, 1),
      text: 'ü€\u{1f41a}\ud800',
      pool,
      nothing: undefined,
      empty: new Uint8Array(0),
    };
    reader.feed(encodeFrame(sent));
    const got = messages[0] as typeof sent;
    expect(got).toEqual(sent);
    expect(got.bytes).toBeInstanceOf(Uint8Array);
    expect(Buffer.isBuffer(got.bytes)).toBe(false);
    expect(Buffer.isBuffer(got.pool)).toBe(true);
    expect(got.floats).toBeInstanceOf(Float64Array);
    expect(got.view.getUint8(0)).toBe(8);
    expect(got.view.byteLength).toBe(2);
  });

  test('frame: the bytes of a read used again: no message changes, and none keeps the read in memory', () => {
    const { messages, reader } = collector();
    const sent = { a: new Uint8Array([1, 2, 3]), b: Buffer.from('abc'), c: new Uint32Array([7]) };
    const chunk = encodeFrame(sent);
    reader.feed(chunk);
    chunk.fill(0xff);
    const got = messages[0] as typeof sent;
    expect(got).toEqual(sent);
    for (const view of Object.values(got)) expect(view.buffer.byteLength).toBe(view.byteLength);
  });

  test('frame: a length over the limit: refused before its bytes come', () => {
    const { messages, reader } = collector();
    expect(reader.feed(Buffer.concat([encodeFrame('before'), head(frameBytesMax + 1)]))?.code).toBe(
      'LIMPET_FRAME_TOO_LARGE',
    );
    expect(messages).toEqual(['before']);
    expect(reader.feed(encodeFrame('after'))?.code).toBe('LIMPET_FRAME_TOO_LARGE');
    expect(messages).toEqual(['before']);
    expect(() => encodeFrame(new Uint8Array(frameBytesMax))).toThrow(/a message of \d+ bytes/);
  });

  test('frame: a payload that is no message, or an empty one: refused', () => {
    for (const payload of [Buffer.alloc(0), Buffer.from('GET / HTTP/1.1'), Buffer.from([0xff, 0x0f, 0x6f])]) {
      const { messages, reader } = collector();
      expect(reader.feed(Buffer.concat([head(payload.length), payload]))?.code).toBe('LIMPET_FRAME_BROKEN');
      expect(messages).toEqual([]);
    }
  });

  test('frame: stopped by its receiver: nothing more of the same read', () => {
    const messages: unknown[] = [];
    const reader: FrameReader = new FrameReader((message) => {
      messages.push(message);
      reader.stop();
    });
    expect(reader.feed(Buffer.concat([encodeFrame(1), encodeFrame(2)]))).toBeNull();
    expect(messages).toEqual([1]);
  });

  test('frame: something that cannot be copied: refused at the sender', () => {
    expect(() => encodeFrame({ f: () => 1 })).toThrow('could not be cloned');
  });
});
