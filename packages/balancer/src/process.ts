import { Balancer } from './balancer.ts';
import { orphanGraceMs } from './limits.ts';
import { createLog } from './log.ts';
import type { Run } from './run.ts';
import { listenFd } from './spawn.ts';

/** A client's or worker's connection that ended badly where nobody listened harms nobody else. */
const harmless = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_WRITE_AFTER_END']);

/** Makes a balancer of this process; gives what ends it in good order. */
export function startBalancer({ name, incarnation, sockets }: Run, onEnd: (code: number) => void): () => void {
  const log = createLog(name);
  process.on('uncaughtException', (error: NodeJS.ErrnoException) => {
    log.error({ err: error }, 'uncaught error');
    if (!harmless.has(error.code ?? '')) process.exit(1);
  });
  const balancer = new Balancer({ name, incarnation, sockets, version: '0.1.0', listen: { fd: listenFd }, log, onEnd });
  return () => balancer.stop(orphanGraceMs);
}
