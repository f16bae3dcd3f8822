import { readdir, readFile, readlink } from 'node:fs/promises';

/** State of a listening socket in /proc/net/tcp. */
const listening = '0A';

/**
 * Whether this process listens on the TCP port. SIGUSR1 opens the inspector even while the app's loop is blocked, and
 * then no JavaScript of that loop can say so; the kernel can. False where there is no /proc.
 */
export async function isListeningHere(port: number): Promise<boolean> {
  try {
    const inodes = new Set<string>();
    for (const table of ['tcp', 'tcp6']) {
      for (const inode of inodesOf(await readFile(`/proc/self/net/${table}`, 'latin1').catch(() => ''), port)) {
        inodes.add(`socket:[${inode}]`);
      }
    }
    if (inodes.size === 0) return false;
    for (const fd of await readdir('/proc/self/fd')) {
      const target = await readlink(`/proc/self/fd/${fd}`).catch(() => '');
      if (inodes.has(target)) return true;
    }
    return false;
  } catch {
    return false;
  }
}

/** The sockets of any process that listen on the port: fields 2 (address:port in hex), 4 (state) and 10 (inode). */
export function inodesOf(table: string, port: number): readonly string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return table.split('\n').flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    return fields[3] === listening && fields[1]?.endsWith(suffix) === true && fields[9] !== undefined
      ? [fields[9]]
      : [];
  });
}
