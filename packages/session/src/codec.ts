import { DefaultDeserializer, serialize } from 'node:v8';
import { type Encoded, LimpetError } from '@limpet/core';
import { findRefusal } from './copyable.ts';

/**
 * What comes back from a copy: plain objects (also those without a prototype, which come back with the ordinary one),
 * arrays with their holes, Date, Map, Set, RegExp, BigInt, boxed primitives, ArrayBuffer, DataView, every typed array,
 * Buffer as Buffer; cycles and shared references within one attribute. What does not survive and is not refused:
 * getters become values; frozen is forgotten; two attributes that share an object hold one each.
 * Errors are refused: only name, message and stack of them would travel.
 */

/** Throws LIMPET_NOT_COPYABLE, naming the path, when `value` would not come back as it is. */
export function assertCopyable(attribute: string, value: unknown): void {
  const refusal = findRefusal(attribute, value);
  if (refusal !== null) throw new LimpetError('LIMPET_NOT_COPYABLE', { ...refusal });
}

/** The bytes of one attribute's value. Throws LIMPET_NOT_COPYABLE with the path of what cannot be copied. */
export function encode(attribute: string, value: unknown): Encoded {
  assertCopyable(attribute, value);
  return settle(encodeChecked(attribute, value));
}

/**
 * How V8's format begins an array without holes, and a number held as a double. Also the letters A and N of a string,
 * which costs only time.
 */
const denseArrayTag = 0x41;
const doubleTag = 0x4e;

/**
 * The bytes that the decoded value encodes to. V8 reads every array as one that may have holes, and a whole number that
 * was held as a double (0.5 + 0.5) as an integer, and writes those differently: without this the first reader of such a
 * value would find it changed and write it.
 */
export const settle = (bytes: Encoded): Encoded =>
  bytes.indexOf(denseArrayTag) === -1 && bytes.indexOf(doubleTag) === -1 ? bytes : serialize(decode(bytes));

/**
 * The bytes without the walk in front and before `settle`, for comparing a value that was checked when it was stored.
 * Still refuses what the serialiser itself refuses.
 */
export function encodeChecked(attribute: string, value: unknown): Encoded {
  try {
    return serialize(value);
  } catch (cause) {
    const refusal = findRefusal(attribute, value, true) ?? { path: attribute, what: 'a value the serialiser refuses' };
    throw new LimpetError('LIMPET_NOT_COPYABLE', { ...refusal }, cause);
  }
}

/** Gives every view its own memory: Node's would share it with the encoded bytes, and writing to it would change those. */
class OwningDeserializer extends DefaultDeserializer {
  _readHostObject(): ArrayBufferView {
    const read: (this: DefaultDeserializer) => ArrayBufferView = Reflect.get(
      DefaultDeserializer.prototype,
      '_readHostObject',
    );
    return ownCopy(read.call(this));
  }
}

function ownCopy(view: ArrayBufferView): ArrayBufferView {
  const bytes = new Uint8Array(view.byteLength);
  bytes.set(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
  if (Buffer.isBuffer(view)) return Buffer.from(bytes.buffer);
  const View = view.constructor as new (buffer: ArrayBuffer) => ArrayBufferView;
  return new View(bytes.buffer);
}

/** The value that `encode` made these bytes of. A key named `__proto__` comes back as an own property, never as the prototype. */
export function decode(bytes: Encoded): unknown {
  const reader = new OwningDeserializer(bytes);
  reader.readHeader();
  return reader.readValue();
}

/** Whether two encoded values are equal byte by byte. */
export const isSameEncoding = (a: Encoded, b: Encoded): boolean =>
  a === b || (a.byteLength === b.byteLength && Buffer.compare(a, b) === 0);
