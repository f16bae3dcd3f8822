import { types } from 'node:util';

/** How deep a value may be nested. More than any form or cart needs, less than what exhausts a stack. */
export const depthMax = 200;

/** Up to this length every index of an array is looked at; above it only those present, for a sparse one may be huge. */
const denseLengthMax = 4_096;

/** Why a value cannot be copied: where in it, and what is there. */
export interface Refusal {
  readonly path: string;
  readonly what: string;
}

/** Copied whole: they hold no other values. Any other class would come back as a plain object, so it is refused. */
const leafPrototypes: ReadonlySet<object> = new Set<object>(
  [
    Date,
    RegExp,
    Number,
    String,
    Boolean,
    BigInt,
    ArrayBuffer,
    DataView,
    Buffer,
    Int8Array,
    Uint8Array,
    Uint8ClampedArray,
    Int16Array,
    Uint16Array,
    Int32Array,
    Uint32Array,
    Float32Array,
    Float64Array,
    BigInt64Array,
    BigUint64Array,
  ].map((type) => type.prototype as object),
);

/** The same types from another realm (test runners give each test file its own `Date`), by name. */
const leafNames: ReadonlySet<string> = new Set([...leafPrototypes].map((prototype) => prototype.constructor.name));

type Shape = 'leaf' | 'object' | 'array' | 'map' | 'set' | 'foreign';

function shapeOf(value: object): Shape {
  const prototype: object | null = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return 'object';
  if (prototype === Array.prototype) return 'array';
  if (prototype === Map.prototype) return 'map';
  if (prototype === Set.prototype) return 'set';
  if (leafPrototypes.has(prototype)) return 'leaf';
  return shapeFromAnotherRealm(value, prototype);
}

function shapeFromAnotherRealm(value: object, prototype: object): Shape {
  const parent: object | null = Object.getPrototypeOf(prototype);
  // Only the built-in Object.prototype of some realm has no parent and this own method.
  if (parent === null) return Object.hasOwn(prototype, 'isPrototypeOf') ? 'object' : 'foreign';
  const builtIn = Object.hasOwn(prototype, 'constructor') && isNative(prototype.constructor);
  if (!builtIn) return 'foreign';
  if (Array.isArray(value)) return 'array';
  if (types.isMap(value)) return 'map';
  if (types.isSet(value)) return 'set';
  const isLeaf = types.isDate(value) || types.isRegExp(value) || types.isAnyArrayBuffer(value);
  return (isLeaf || ArrayBuffer.isView(value)) && leafNames.has(prototype.constructor.name) ? 'leaf' : 'foreign';
}

const isNative = (type: unknown): boolean =>
  typeof type === 'function' && Function.prototype.toString.call(type).endsWith('{ [native code] }');

/** The name that people know a refused object by. */
function describe(value: object): string {
  if (types.isProxy(value)) return 'a Proxy';
  if (types.isNativeError(value)) return `an Error (${value.name})`;
  if (types.isPromise(value)) return 'a Promise';
  const name: unknown = (value as { constructor?: { name?: unknown } }).constructor?.name;
  return typeof name === 'string' && name !== '' ? `an instance of ${name}` : 'an object of an unknown class';
}

const identifier = /^[A-Za-z_$][\w$]*$/;
const propertyStep = (key: string): string => (identifier.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`);
const entryStep = (key: unknown): string => `.get(${typeof key === 'object' ? '…' : String(key).slice(0, 40)})`;

class Walk {
  readonly #seen = new Set<object>();
  readonly #thorough: boolean;

  constructor(thorough: boolean) {
    this.#thorough = thorough;
  }

  /** The refusal with the rest of the path, outermost step first, or null. */
  visit(value: unknown, depth: number): Refusal | null {
    if (typeof value === 'function')
      return { path: '', what: value.name ? `a function (${value.name})` : 'a function' };
    if (typeof value === 'symbol') return { path: '', what: 'a symbol' };
    if (typeof value !== 'object' || value === null) return null;
    if (this.#seen.has(value)) return null;
    if (depth > depthMax) return { path: '', what: `data nested deeper than ${depthMax} levels` };
    if (this.#thorough && types.isProxy(value)) return { path: '', what: 'a Proxy' };
    this.#seen.add(value);
    switch (shapeOf(value)) {
      case 'leaf':
        return null;
      case 'object':
        return this.#object(value as Record<string, unknown>, depth);
      case 'array':
        return this.#array(value as unknown[], depth);
      case 'map':
        return this.#map(value as Map<unknown, unknown>, depth);
      case 'set':
        return this.#set(value as Set<unknown>, depth);
      case 'foreign':
        return { path: '', what: describe(value) };
    }
  }

  #object(value: Record<string, unknown>, depth: number): Refusal | null {
    const symbols = Object.getOwnPropertySymbols(value);
    if (symbols.length > 0) return { path: `[${String(symbols[0])}]`, what: 'a property named by a symbol' };
    for (const key of Object.keys(value)) {
      const found = this.visit(value[key], depth + 1);
      if (found !== null) return { path: propertyStep(key) + found.path, what: found.what };
    }
    return null;
  }

  #array(value: unknown[], depth: number): Refusal | null {
    if (this.#thorough || value.length > denseLengthMax) {
      for (const key of Object.keys(value)) {
        const found = this.visit((value as unknown as Record<string, unknown>)[key], depth + 1);
        if (found !== null) return { path: `[${key}]${found.path}`, what: found.what };
      }
      return null;
    }
    for (let index = 0; index < value.length; index += 1) {
      const found = this.visit(value[index], depth + 1);
      if (found !== null) return { path: `[${index}]${found.path}`, what: found.what };
    }
    return null;
  }

  #map(value: Map<unknown, unknown>, depth: number): Refusal | null {
    for (const [key, entry] of value) {
      const found = this.visit(key, depth + 1) ?? this.visit(entry, depth + 1);
      if (found !== null) return { path: entryStep(key) + found.path, what: found.what };
    }
    return null;
  }

  #set(value: Set<unknown>, depth: number): Refusal | null {
    for (const entry of value) {
      const found = this.visit(entry, depth + 1);
      if (found !== null) return { path: `.values()${found.path}`, what: found.what };
    }
    return null;
  }
}

/**
 * The first thing in `value` that would not come back as it is, or null. `thorough` also looks where only the
 * serialiser's own refusal leads: proxies, and named properties of arrays.
 */
export function findRefusal(attribute: string, value: unknown, thorough = false): Refusal | null {
  if (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol') return null;
  const found = new Walk(thorough).visit(value, 1);
  return found === null ? null : { path: attribute + found.path, what: found.what };
}
