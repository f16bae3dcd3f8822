import { inspect } from 'node:util';
import { LimpetError, type SessionId } from '@limpet/core';
import { assertCopyable } from './codec.ts';
import type { Part } from './part.ts';
import type { SessionCookie } from './session-cookie.ts';
import type { Session, SessionCallback } from './types.ts';

/** What stands behind a facade: one request's part in the session (request-session.ts). */
export interface FacadeOwner {
  read(part: Part, name: string): unknown;
  has(part: Part, name: string): boolean;
  list(part: Part): string[];
  write(part: Part, name: string, value: unknown): void;
  remove(part: Part, name: string): void;
  idOf(part: Part): SessionId;
  readonly cookie: SessionCookie;
  regenerate(): Promise<void>;
  renew(): Promise<void>;
  destroy(): Promise<void>;
  save(): Promise<void>;
  reload(): Promise<void>;
  touch(): void;
}

/** Names that are not attributes, and why. `update` and `rollback` are kept free for methods of those names. */
const reservedNames: ReadonlyMap<string, string> = new Map([
  ...['id', 'cookie'].map((name) => [name, 'belongs to the session itself'] as const),
  ...['regenerate', 'renew', 'destroy', 'save', 'reload', 'touch', 'update', 'rollback'].map(
    (name) => [name, 'is a method of the session'] as const,
  ),
  // Copied by assignment (Object.assign, a merge) these would change the prototype of the app's own objects.
  ['__proto__', 'is not safe in copies of the session'],
  ['constructor', 'is not safe in copies of the session'],
]);

/** What attributes inherit from: makes `console.log(req.session)` show them, and `req.session.hasOwnProperty` work. */
const facadePrototype: object = Object.create(Object.prototype, {
  [inspect.custom]: {
    value(this: object, _depth: number, options: object, show: typeof inspect) {
      return show({ ...this }, options);
    },
  },
});

/** Calls back, or gives a promise that nobody has to catch: an app may ignore how its `destroy()` went. */
function answer(facade: () => Session, work: Promise<void>, callback: SessionCallback | undefined): unknown {
  if (typeof callback !== 'function') {
    work.catch(() => {});
    return work;
  }
  work.then(
    () => process.nextTick(callback),
    (error: Error) => process.nextTick(callback, error),
  );
  return facade();
}

function createMethods(owner: FacadeOwner, facade: () => Session): ReadonlyMap<string, unknown> {
  return new Map<string, unknown>([
    ['regenerate', (callback?: SessionCallback) => answer(facade, owner.regenerate(), callback)],
    ['renew', (callback?: SessionCallback) => answer(facade, owner.renew(), callback)],
    ['destroy', (callback?: SessionCallback) => answer(facade, owner.destroy(), callback)],
    ['save', (callback?: SessionCallback) => answer(facade, owner.save(), callback)],
    ['reload', (callback?: SessionCallback) => answer(facade, owner.reload(), callback)],
    [
      'touch',
      () => {
        owner.touch();
        return facade();
      },
    ],
  ]);
}

/** `req.session`: notes every attribute that is read, written, deleted or listed, for this request alone (P16). */
export function createFacade(owner: FacadeOwner, part: Part): Session {
  const facade = new Proxy(Object.create(facadePrototype), new FacadeHandler(owner, part, () => facade)) as Session;
  return facade;
}

class FacadeHandler implements ProxyHandler<object> {
  readonly #owner: FacadeOwner;
  readonly #part: Part;
  readonly #facade: () => Session;
  #methods: ReadonlyMap<string, unknown> | null = null;

  constructor(owner: FacadeOwner, part: Part, facade: () => Session) {
    this.#owner = owner;
    this.#part = part;
    this.#facade = facade;
  }

  get(target: object, name: string | symbol): unknown {
    if (typeof name === 'symbol') return Reflect.get(target, name);
    if (reservedNames.has(name)) return this.#reserved(target, name);
    const value = this.#owner.read(this.#part, name);
    return value === undefined && name in Object.prototype ? Reflect.get(target, name) : value;
  }

  set(_target: object, name: string | symbol, value: unknown, receiver: unknown): boolean {
    // An object that inherits from the session gets a property of its own, as with any other prototype.
    if (receiver !== this.#facade())
      return Reflect.defineProperty(receiver as object, name, {
        value,
        writable: true,
        enumerable: true,
        configurable: true,
      });
    this.#write(name, value);
    return true;
  }

  deleteProperty(_target: object, name: string | symbol): boolean {
    if (typeof name === 'string' && !reservedNames.has(name)) this.#owner.remove(this.#part, name);
    return true;
  }

  has(target: object, name: string | symbol): boolean {
    if (typeof name === 'symbol') return Reflect.has(target, name);
    return reservedNames.has(name) || this.#owner.has(this.#part, name) || Reflect.has(target, name);
  }

  ownKeys(): string[] {
    return this.#owner.list(this.#part);
  }

  getOwnPropertyDescriptor(_target: object, name: string | symbol): PropertyDescriptor | undefined {
    if (typeof name === 'symbol' || reservedNames.has(name) || !this.#owner.has(this.#part, name)) return undefined;
    const value = this.#owner.read(this.#part, name);
    return { value, writable: true, enumerable: true, configurable: true };
  }

  defineProperty(_target: object, name: string | symbol, descriptor: PropertyDescriptor): boolean {
    if (descriptor.get !== undefined || descriptor.set !== undefined || descriptor.configurable === false) return false;
    this.#write(name, descriptor.value);
    return true;
  }

  setPrototypeOf(): boolean {
    return false;
  }

  preventExtensions(): boolean {
    return false;
  }

  #reserved(target: object, name: string): unknown {
    if (name === 'id') return this.#owner.idOf(this.#part);
    if (name === 'cookie') return this.#owner.cookie;
    this.#methods ??= createMethods(this.#owner, this.#facade);
    return this.#methods.get(name) ?? Reflect.get(target, name);
  }

  #write(name: string | symbol, value: unknown): void {
    if (typeof name === 'symbol')
      throw new LimpetError('LIMPET_NOT_COPYABLE', { path: String(name), what: 'a value named by a symbol' });
    const why = reservedNames.get(name);
    if (why !== undefined) throw new LimpetError('LIMPET_RESERVED_NAME', { name, why });
    assertCopyable(name, value);
    this.#owner.write(this.#part, name, value);
  }
}
