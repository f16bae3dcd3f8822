import cluster from 'node:cluster';
import { Server as HttpServer } from 'node:http';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { Server } from 'node:net';
import { LimpetError } from '@limpet/core';
import { nativeListen } from './app-door.ts';
import { AppListener, type AppListenerOptions } from './app-listener.ts';
import { keepFraming } from './app-server.ts';
import { readListenArguments } from './listen-arguments.ts';

export interface ListenPatchOptions extends AppListenerOptions {
  /** What the app asked for cannot be had here: told before it is thrown to the app. */
  readonly refused: (error: LimpetError) => void;
}

/** Takes over every `listen` of a TCP port in this process, and refuses what cannot work behind the balancer. */
export function patchListen(options: ListenPatchOptions): void {
  const listener = new AppListener(options);
  const refuse = (error: LimpetError): never => {
    options.refused(error);
    throw error;
  };
  Server.prototype.listen = function listen(this: Server, ...args: unknown[]): Server {
    const asked = readListenArguments(args);
    // A server that listens already: Node's own error says so best.
    if (asked.kind === 'other' || this.listening) return Reflect.apply(nativeListen, this, args);
    const module = this instanceof HttpServer ? null : moduleOf(this);
    if (module !== null) refuse(new LimpetError('LIMPET_APP_TLS', { module, port: asked.port }));
    listener.listen(this, asked, args);
    return this;
  } as Server['listen'];
  keepFraming();
  cluster.fork = () => refuse(new LimpetError('LIMPET_APP_CLUSTER'));
  // `import { fork } from 'node:cluster'` is a binding of its own until told.
  syncBuiltinESMExports();
}

/** The module of an HTTP server that speaks something else than plain HTTP/1.1, null for a server of bytes. */
function moduleOf(server: Server): 'https' | 'http2' | null {
  for (let proto: object | null = server; proto !== null; proto = Object.getPrototypeOf(proto)) {
    const name: unknown = proto.constructor?.name;
    if (name === 'Http2Server' || name === 'Http2SecureServer') return 'http2';
  }
  // Loaded here only: TLS is expensive to load, and every process of the cluster would pay for it.
  const https: typeof import('node:https') = createRequire(import.meta.url)('node:https');
  return server instanceof https.Server ? 'https' : null;
}
