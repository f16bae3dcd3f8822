import { chmod, lstat, unlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { LimpetError } from '@limpet/core';
import { type Link, type LinkHandlers, queuedBytesMax, SocketLink } from './link.ts';
import { checkSocketPath } from './socket-path.ts';

export interface ListenOptions {
  /** Of each link. Default `queuedBytesMax`. */
  readonly queuedBytesMax?: number;
  /** Whether the process may end while the socket and its links are open. Default false. */
  readonly unref?: boolean;
}

export interface Listener {
  /** Stops listening, removes the socket file, closes every link; resolves when all of them are gone. */
  close(): Promise<void>;
}

/**
 * Listens on the Unix socket `path` (mode 0600; its folder should be 0700). `onLink` gives the handlers of each new
 * link. The file of a process that is gone is replaced; rejects with LIMPET_SOCKET_IN_USE when somebody answers on it,
 * with LIMPET_SOCKET_PATH when the path is too long.
 */
export async function listen<In, Out>(
  path: string,
  onLink: (link: Link<In, Out>) => LinkHandlers<In>,
  options: ListenOptions = {},
): Promise<Listener> {
  checkSocketPath(path);
  const links = new Set<Link<In, Out>>();
  const server = createServer((socket) => {
    if (options.unref) socket.unref();
    const link = new SocketLink<In, Out>(socket, options.queuedBytesMax ?? queuedBytesMax);
    links.add(link);
    socket.once('close', () => links.delete(link));
    link.start(onLink(link));
  });
  // A failed accept (no descriptors left) loses that connection only, and its other end dials again.
  server.on('error', () => {});
  await bind(server, path);
  try {
    await chmod(path, 0o600);
  } catch (error) {
    server.close();
    throw error;
  }
  if (options.unref) server.unref();
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const link of links) link.close();
      }),
  };
}

async function bind(server: Server, path: string): Promise<void> {
  try {
    await tryBind(server, path);
  } catch (error) {
    if (!isCode(error, 'EADDRINUSE')) throw error;
    await removeStale(path, error);
    await tryBind(server, path);
  }
}

function tryBind(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

async function removeStale(path: string, inUse: unknown): Promise<void> {
  const file = await lstat(path).catch(() => null);
  if (file === null) return;
  // Connecting to an ordinary file is refused like connecting to a dead socket: without this look it would be deleted.
  if (!file.isSocket()) throw inUse;
  if (await isAnswered(path)) throw new LimpetError('LIMPET_SOCKET_IN_USE', { path }, inUse);
  await unlink(path).catch((error: unknown) => {
    if (!isCode(error, 'ENOENT')) throw error;
  });
}

/** Whether a process listens on the socket. Only a refusal is a no: a full backlog (EAGAIN) is somebody, too. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error) => resolve(!isCode(error, 'ECONNREFUSED') && !isCode(error, 'ENOENT')));
  });
}

const isCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code;
