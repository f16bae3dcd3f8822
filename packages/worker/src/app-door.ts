import { chmodSync, renameSync, rmSync } from 'node:fs';
import { Server, type Socket } from 'node:net';
import { formatAddress } from '@limpet/core';
import { socketPath } from '@limpet/transport';
import type { Run } from './run.ts';

/** Node's own, kept before it is patched. */
export const nativeListen = Server.prototype.listen;

/**
 * The path of the node's socket, and private paths to listen on until it is known which server takes it. Publishing is
 * one rename: the file is never there before someone listens, and another server can take it over at once. Closing a
 * server unlinks the private name only, which is gone by then.
 */
export class DoorPath {
  readonly #run: Run;
  readonly #base: string;
  #made = 0;

  constructor(run: Run) {
    this.#run = run;
    this.#base = formatAddress({ id: run.node, incarnation: run.incarnation });
  }

  get path(): string {
    return socketPath(this.#run.sockets, `${this.#base}.http`);
  }

  /** Not longer than the public path: what fits there fits here. */
  makePrivate(): string {
    return socketPath(this.#run.sockets, `${this.#base}.l${(this.#made++).toString(36)}`);
  }

  publish(privatePath: string): void {
    chmodSync(privatePath, 0o600);
    renameSync(privatePath, this.path);
  }

  /** New connections find nobody; those that are open go on. */
  shut(): void {
    rmSync(this.path, { force: true });
  }
}

/** Listens where Node listens, past the patch. Rejects with the error of the socket. */
export function openServer(
  where: { readonly path: string } | { readonly port: 0; readonly host: '127.0.0.1' },
  take: (socket: Socket) => void,
): Promise<Server> {
  return new Promise((resolve, reject) => {
    // Half-closed peers still get their answer: the same as http.Server asks of its own listener.
    const server = new Server({ allowHalfOpen: true, noDelay: true }, take);
    server.once('error', reject);
    Reflect.apply(nativeListen, server, [where, () => resolve(server)]);
    server.unref();
  });
}
