import { join } from 'node:path';
import { LimpetError } from '@limpet/core';

/** Longest path of a Unix socket, in bytes. The kernel's limit is 107, and Node 20 cuts there without a word: two names become one. */
export const socketPathBytesMax = 100;

/** The path of `file` in `folder`. Throws LIMPET_SOCKET_PATH when it is too long. */
export function socketPath(folder: string, file: string): string {
  const path = join(folder, file);
  checkSocketPath(path);
  return path;
}

/** Throws LIMPET_SOCKET_PATH for a path that must not be given to the kernel. */
export function checkSocketPath(path: string): void {
  // Bytes, not characters: a folder named in Greek has twice as many.
  const bytes = Buffer.byteLength(path);
  if (bytes > socketPathBytesMax) {
    throw new LimpetError('LIMPET_SOCKET_PATH', { path, bytes, bytesMax: socketPathBytesMax });
  }
}
