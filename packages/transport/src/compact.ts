import { names } from './names.ts';

/**
 * The encoding of messages between processes: plain objects, arrays, maps, byte arrays, strings, numbers, booleans, null
 * and undefined, each behind one byte that says what follows. A fifth of the processor time of V8's own serialiser and a
 * third of its bytes for the messages of a write: property names and other words of the protocol (`names.ts`) are one
 * byte. Both ends are of one version: the tags are no format for disks.
 */

const tag = {
  null: 0,
  undefined: 1,
  false: 2,
  true: 3,
  /** A whole number from 0 to 2⁵³ − 1, in groups of seven bits, the lowest first. */
  whole: 4,
  /** The same, negative. */
  negative: 5,
  double: 6,
  /** One byte per character, all below 128. */
  ascii: 7,
  utf8: 8,
  /** An entry of `names`. */
  name: 9,
  bytes: 10,
  array: 11,
  map: 12,
  object: 13,
} as const;

/** Nested deeper than this is no message of ours. */
const depthMax = 64;
const asciiMax = 96;
const wordBytes = 8;
const loneSurrogate = /\p{Surrogate}/u;

const codeOf = new Map(names.map((name, code) => [name, code]));
const utf8 = new TextEncoder();
const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const double = new Float64Array(1);
const doubleBytes = new Uint8Array(double.buffer);

/** A value that this encoding has no tag for. */
export class Unencodable extends Error {}

// Filled and emptied within one synchronous call; a larger message grows it for that call.
const scratchKept = 64 * 1024;
let scratch = Buffer.allocUnsafeSlow(scratchKept);
let at = 0;

function room(bytes: number): void {
  if (at + bytes <= scratch.length) return;
  const larger = Buffer.allocUnsafeSlow(Math.max(2 * scratch.length, at + bytes));
  scratch.copy(larger, 0, 0, at);
  scratch = larger;
}

/** The bytes of `value` behind `reserved` bytes left for the caller. Throws Unencodable. */
export function encodeCompact(value: unknown, reserved: number): Buffer {
  at = reserved;
  try {
    write(value, 0);
    return Buffer.from(scratch.subarray(0, at));
  } finally {
    if (scratch.length > scratchKept) scratch = Buffer.allocUnsafeSlow(scratchKept);
  }
}

function write(value: unknown, depth: number): void {
  room(16);
  switch (typeof value) {
    case 'string':
      writeString(value);
      return;
    case 'number':
      writeNumber(value);
      return;
    case 'boolean':
      scratch[at++] = value ? tag.true : tag.false;
      return;
    case 'undefined':
      scratch[at++] = tag.undefined;
      return;
    case 'object':
      if (value === null) scratch[at++] = tag.null;
      else writeObject(value, depth);
      return;
    default:
      throw new Unencodable(typeof value);
  }
}

function writeObject(value: object, depth: number): void {
  if (depth > depthMax) throw new Unencodable('nested too deep');
  if (Array.isArray(value)) {
    writeHead(tag.array, value.length);
    for (let index = 0; index < value.length; index++) write(value[index], depth + 1);
    return;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) {
    const keys = Object.keys(value);
    writeHead(tag.object, keys.length);
    for (const key of keys) {
      room(16);
      writeString(key);
      write((value as Record<string, unknown>)[key], depth + 1);
    }
    return;
  }
  if (value instanceof Map) {
    writeHead(tag.map, value.size);
    for (const [key, entry] of value) {
      write(key, depth + 1);
      write(entry, depth + 1);
    }
    return;
  }
  if (!(value instanceof Uint8Array)) throw new Unencodable(value.constructor?.name ?? 'object');
  writeHead(tag.bytes, value.length);
  room(value.length);
  scratch.set(value, at);
  at += value.length;
}

function writeHead(what: number, count: number): void {
  room(16);
  scratch[at++] = what;
  writeWhole(count);
}

function writeWhole(value: number): void {
  let left = value;
  while (left > 0x7fffffff) {
    scratch[at++] = (left % 128) | 128;
    left = Math.floor(left / 128);
  }
  while (left > 127) {
    scratch[at++] = (left & 127) | 128;
    left >>>= 7;
  }
  scratch[at++] = left;
}

function writeNumber(value: number): void {
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
    scratch[at++] = value < 0 ? tag.negative : tag.whole;
    writeWhole(value < 0 ? -value : value);
    return;
  }
  scratch[at++] = tag.double;
  double[0] = value;
  scratch.set(doubleBytes, at);
  at += wordBytes;
}

function writeString(value: string): void {
  const code = value.length < 16 ? codeOf.get(value) : undefined;
  if (code !== undefined) {
    scratch[at++] = tag.name;
    scratch[at++] = code;
    return;
  }
  if (value.length <= asciiMax && writeAscii(value)) return;
  // A lone half of a surrogate pair would come back as another character.
  if (loneSurrogate.test(value)) throw new Unencodable('a string that is not Unicode');
  const bytes = utf8.encode(value);
  writeHead(tag.utf8, bytes.length);
  room(bytes.length);
  scratch.set(bytes, at);
  at += bytes.length;
}

/** False, with nothing written, when a character is above 127. */
function writeAscii(value: string): boolean {
  const { length } = value;
  room(length + 2);
  const target = scratch;
  const from = at + 2;
  for (let index = 0; index < length; index++) {
    const character = value.charCodeAt(index);
    if (character > 127) return false;
    target[from + index] = character;
  }
  target[at] = tag.ascii;
  target[at + 1] = length;
  at = from + length;
  return true;
}

let source: Uint8Array = scratch;

/** The value that `bytes` hold from `from` on; nothing in it refers to them. Throws when they hold none, or more than one. */
export function decodeCompact(bytes: Uint8Array, from: number): unknown {
  source = bytes;
  at = from;
  const value = read(0);
  if (at !== bytes.length) throw new Error(`${bytes.length - at} bytes behind the message`);
  return value;
}

function next(): number {
  const byte = source[at++];
  if (byte === undefined) throw new Error('the message ends early');
  return byte;
}

function read(depth: number): unknown {
  if (depth > depthMax + 1) throw new Error('nested too deep');
  const what = next();
  switch (what) {
    case tag.null:
      return null;
    case tag.undefined:
      return undefined;
    case tag.false:
      return false;
    case tag.true:
      return true;
    case tag.whole:
      return readWhole();
    case tag.negative:
      return -readWhole();
    case tag.double:
      doubleBytes.set(take(wordBytes));
      return double[0];
    case tag.bytes:
      // Memory of its own: a view would keep everything that was read with it.
      return new Uint8Array(take(readWhole()));
    case tag.array:
      return readArray(depth);
    case tag.map:
      return readMap(depth);
    case tag.object:
      return readObject(depth);
    default:
      return readString(what);
  }
}

function readWhole(): number {
  let value = 0;
  let factor = 1;
  for (let groups = 0; groups < 8; groups++) {
    const byte = next();
    value += (byte & 127) * factor;
    if (byte < 128) return value;
    factor *= 128;
  }
  throw new Error('a number without end');
}

function take(length: number): Uint8Array {
  const end = at + length;
  if (end > source.length) throw new Error('the message ends early');
  const part = source.subarray(at, end);
  at = end;
  return part;
}

/** A count is believed only as far as there are bytes for it: each entry has at least one. */
function readCount(): number {
  const count = readWhole();
  if (count > source.length - at) throw new Error('the message ends early');
  return count;
}

function readArray(depth: number): unknown[] {
  const array: unknown[] = [];
  for (let left = readCount(); left > 0; left--) array.push(read(depth + 1));
  return array;
}

function readMap(depth: number): Map<unknown, unknown> {
  const map = new Map<unknown, unknown>();
  for (let left = readCount(); left > 0; left--) {
    const key = read(depth + 1);
    map.set(key, read(depth + 1));
  }
  return map;
}

function readObject(depth: number): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  for (let left = readCount(); left > 0; left--) {
    const key = readString(next());
    const value = read(depth + 1);
    if (key === '__proto__')
      Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
    else object[key] = value;
  }
  return object;
}

function readString(what: number): string {
  if (what === tag.name) {
    const name = names[next()];
    if (name === undefined) throw new Error('an unknown name');
    return name;
  }
  if (what === tag.ascii) {
    const part = take(next());
    return String.fromCharCode.apply(null, part as unknown as number[]);
  }
  if (what === tag.utf8) return text.decode(take(readWhole()));
  throw new Error(`an unknown tag, ${what}`);
}
