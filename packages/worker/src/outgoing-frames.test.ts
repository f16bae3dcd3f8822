import { expect, test } from 'vitest';
import { OutgoingFrames } from './outgoing-frames.ts';

const head = Buffer.from('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n');
const frame = (opcode: number, size: number, masked = false): Buffer => {
  const mask = masked ? 0x80 : 0;
  const start =
    size < 126
      ? Buffer.from([0x80 | opcode, mask | size])
      : size < 65_536
        ? Buffer.from([0x80 | opcode, mask | 126, size >> 8, size & 0xff])
        : Buffer.concat([Buffer.from([0x80 | opcode, mask | 127, 0, 0, 0, 0]), uint32(size)]);
  return Buffer.concat([start, Buffer.alloc(masked ? 4 : 0), Buffer.alloc(size, 0x88)]);
};
function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

test('outgoing frames: the head is not over: nothing may stand here', () => {
  const frames = new OutgoingFrames();
  frames.feed(head.subarray(0, head.length - 1));
  expect(frames.isBetween).toBe(false);
  frames.feed(head.subarray(head.length - 1));
  expect(frames.isBetween).toBe(true);
});

test.each([
  ['empty', frame(1, 0)],
  ['short', frame(2, 125)],
  ['of two bytes of length', frame(2, 126)],
  ['of eight bytes of length', frame(2, 65_536)],
  ['masked', frame(1, 300, true)],
])('outgoing frames: a frame %s, byte by byte: only its end is between two', (_, bytes) => {
  const frames = new OutgoingFrames();
  frames.feed(head);
  for (let at = 0; at < bytes.length; at++) {
    frames.feed(bytes.subarray(at, at + 1));
    expect(frames.isBetween).toBe(at === bytes.length - 1);
  }
  expect(frames.isClosed).toBe(false);
});

test('outgoing frames: head and frames in one piece: the end of the last one is between two', () => {
  const frames = new OutgoingFrames();
  frames.feed(Buffer.concat([head, frame(1, 5), frame(2, 70_000), frame(1, 200).subarray(0, 100)]));
  expect(frames.isBetween).toBe(false);
  frames.feed(frame(1, 200).subarray(100));
  expect(frames.isBetween).toBe(true);
});

test('outgoing frames: the app has closed: known', () => {
  const frames = new OutgoingFrames();
  frames.feed(Buffer.concat([head, frame(8, 2)]));
  expect(frames.isClosed).toBe(true);
});
