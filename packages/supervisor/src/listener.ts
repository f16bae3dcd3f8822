import { lookup } from 'node:dns/promises';
import net from 'node:net';
import { getSystemErrorName } from 'node:util';
import { LimpetError } from '@limpet/core';

/** A port that is bound here and accepted on elsewhere. */
export interface Listener {
  /** Inherited by each balancer as descriptor 3. */
  readonly fd: number;
  readonly port: number;
  close(): void;
}

/** The part of Node's internal TCP handle that is used. */
interface Handle {
  readonly fd: number;
  getsockname(out: { address?: string; port?: number }): number;
  close(): void;
}

type CreateServerHandle = (address: string, port: number, addressType: 4 | 6) => Handle | number;

/**
 * Binds a port without ever accepting on it. The descriptor goes to every balancer; the kernel's queue of connections
 * lives as long as one holder of it does, so a balancer that dies refuses nobody (PROTOCOL P18).
 *
 * `net._createServerHandle` is not documented; node:cluster stands on it. Rejects with LIMPET_NO_SHARED_PORT where it
 * is missing, LIMPET_PORT_IN_USE, or LIMPET_PORT_REFUSED. A port that another process has bound but does not listen on
 * yet is found only when a balancer listens.
 */
export async function bindPort(host: string, port: number): Promise<Listener> {
  const create = (net as unknown as { _createServerHandle?: CreateServerHandle })._createServerHandle;
  if (typeof create !== 'function') throw new LimpetError('LIMPET_NO_SHARED_PORT', { version: process.version });
  const { address, family } = await resolveHost(host, port);
  const handle = create(address, port, family === 6 ? 6 : 4);
  if (typeof handle === 'number') throw portError(getSystemErrorName(handle), host, port, '--port');
  const bound: { port?: number } = {};
  // An address in use is remembered by the handle and told here at the earliest.
  const failure = handle.getsockname(bound);
  if (failure !== 0 || bound.port === undefined) {
    handle.close();
    throw portError(failure === 0 ? 'EINVAL' : getSystemErrorName(failure), host, port, '--port');
  }
  if (typeof handle.fd !== 'number' || handle.fd < 0) {
    handle.close();
    throw new LimpetError('LIMPET_NO_SHARED_PORT', { version: process.version });
  }
  let open = true;
  const close = () => {
    if (open) handle.close();
    open = false;
  };
  return { fd: handle.fd, port: bound.port, close };
}

async function resolveHost(host: string, port: number): Promise<{ address: string; family: number }> {
  try {
    return await lookup(host);
  } catch {
    throw portError('no such address', host, port, '--host');
  }
}

/** The error for a port that could not be had; `option` is the flag that chooses another. */
export function portError(why: string, host: string, port: number, option: string): LimpetError {
  if (why === 'EADDRINUSE') return new LimpetError('LIMPET_PORT_IN_USE', { host, port, option });
  return new LimpetError('LIMPET_PORT_REFUSED', { host, port, option, why });
}
