import { closeSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { isAlive } from './proc.ts';
import type { RunDirectory } from './run-directory.ts';

/** Holds the run directory for this process until `release`, or until the process is gone. */
export interface Lock {
  release(): Promise<void>;
}

/**
 * Takes the run directory, or gives null when a living process holds it. On Linux the lock is an abstract socket named
 * after the directory's device and inode: taken atomically, gone with its process, the same under every path.
 */
export function lockRunDirectory(run: RunDirectory): Promise<Lock | null> {
  return process.platform === 'linux' ? lockBySocket(run) : Promise.resolve(lockByFile(run));
}

function lockBySocket(run: RunDirectory): Promise<Lock | null> {
  const { dev, ino } = statSync(run.path, { bigint: true });
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(null) : reject(error),
    );
    server.listen({ path: `\0limpet-${dev.toString(36)}-${ino.toString(36)}` }, () => {
      server.unref();
      resolve({ release: () => new Promise((done) => server.close(() => done())) });
    });
  });
}

/** Elsewhere a file with the pid: a crash leaves it behind, so a holder that no longer lives does not count. */
function lockByFile(run: RunDirectory): Lock | null {
  const path = join(run.path, 'lock');
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      const fd = openSync(path, 'wx', 0o600);
      writeSync(fd, `${process.pid}\n`);
      closeSync(fd);
      return { release: async () => rmSync(path, { force: true }) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      if (isAlive(Number.parseInt(readFileSync(path, 'utf8'), 10), null)) return null;
      rmSync(path, { force: true });
    }
  }
  return null;
}
