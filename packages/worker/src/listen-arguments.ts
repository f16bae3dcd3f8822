/** What one call of `server.listen(…)` asks for, all of its forms made one. */
export type Asked =
  | {
      readonly kind: 'port';
      readonly port: number;
      readonly host: string | null;
      readonly backlog: number | null;
      readonly signal: AbortSignal | null;
      readonly callback: (() => void) | null;
    }
  /** A Unix path, an inherited descriptor, a handle, or something that Node itself refuses: not ours. */
  | { readonly kind: 'other' };

const other: Asked = { kind: 'other' };
const portMax = 65_535;

/** Reads the arguments as `net.Server.listen` of Node 20 to 26 does: a port wins over a path, no port at all is port 0. */
export function readListenArguments(args: readonly unknown[]): Asked {
  const last = args.at(-1);
  const callback = typeof last === 'function' ? (last as () => void) : null;
  const first = args[0];
  if (typeof first === 'object' && first !== null) return readOptions(first as ListenOptions, callback);
  if (first === undefined || first === null || typeof first === 'function') return asPort(0, args, callback);
  const port = readPort(first);
  return port === null ? other : asPort(port, args, callback);
}

interface ListenOptions {
  readonly port?: unknown;
  readonly host?: unknown;
  readonly fd?: unknown;
  readonly backlog?: unknown;
  readonly signal?: unknown;
  readonly handle?: unknown;
  readonly _handle?: unknown;
}

function readOptions(options: ListenOptions, callback: (() => void) | null): Asked {
  if (options.handle || options._handle || typeof options.fd === 'number') return other;
  const empty = options.port === null || (options.port === undefined && 'port' in options);
  const port = empty ? 0 : readPort(options.port);
  if (port === null) return other;
  return {
    kind: 'port',
    port,
    host: typeof options.host === 'string' && options.host !== '' ? options.host : null,
    backlog: typeof options.backlog === 'number' ? options.backlog : null,
    signal: options.signal instanceof AbortSignal ? options.signal : null,
    callback,
  };
}

function asPort(port: number, args: readonly unknown[], callback: (() => void) | null): Asked {
  const host = typeof args[1] === 'string' && args[1] !== '' ? args[1] : null;
  const backlog = args.slice(1).find((value) => typeof value === 'number');
  return {
    kind: 'port',
    port,
    host,
    backlog: typeof backlog === 'number' ? backlog : null,
    signal: null,
    callback,
  };
}

/** A number or a numeric string in the range of ports; null for a path or for what Node will refuse. */
function readPort(value: unknown): number | null {
  if (typeof value !== 'number' && typeof value !== 'string') return null;
  if (typeof value === 'string' && value.trim() === '') return null;
  const port = Number(value);
  return Number.isInteger(port) && port >= 0 && port <= portMax ? port : null;
}
