import { Balancer } from './balancer.ts';
import { Holder } from './holder.ts';
import { orphanGraceMs } from './limits.ts';
import { createLog } from './log.ts';
import { parseRun, type Run } from './run.ts';
import { listenFd } from './spawn.ts';

/** The entry of a balancer process, or of the port's holder: `LIMPET_RUN` says who it is, descriptor 3 is the listening socket. */

const run = parseRun(process.env.LIMPET_RUN);
delete process.env.LIMPET_RUN;
if (run === null) {
  process.stderr.write('this file is started by limpet start\n');
  process.exit(2);
}
const log = createLog(run.name);

/** A client's or worker's connection that ended badly where nobody listened harms nobody else. */
const harmless = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_WRITE_AFTER_END']);

process.on('uncaughtException', (error: NodeJS.ErrnoException) => {
  log.error({ err: error }, 'uncaught error');
  if (!harmless.has(error.code ?? '')) process.exit(1);
});
process.stdout.on('error', () => {});
process.stderr.on('error', () => {});

process.on('SIGTERM', begin(run));
// Detached from the terminal, a hang-up or Ctrl-C is meant for the supervisor.
process.on('SIGINT', () => {});
process.on('SIGHUP', () => {});

/** Gives what ends it in good order. */
function begin(me: Run): () => void {
  const onEnd = (code: number): never => process.exit(code);
  if (me.role === 'holder') {
    const holder = new Holder(me, onEnd);
    return () => holder.end();
  }
  const { name, incarnation, sockets } = me;
  const balancer = new Balancer({ name, incarnation, sockets, version: '0.1.0', listen: { fd: listenFd }, log, onEnd });
  return () => balancer.stop(orphanGraceMs);
}
