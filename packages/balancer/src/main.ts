import { Balancer } from './balancer.ts';
import { createLog } from './log.ts';
import { parseRun } from './run.ts';

/** The entry of a balancer process: `LIMPET_RUN` says who it is, descriptor 3 is the listening socket. */

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

const balancer = new Balancer({
  name: run.name,
  incarnation: run.incarnation,
  sockets: run.sockets,
  version: '0.1.0',
  listen: { fd: 3 },
  log,
  onEnd: (code) => process.exit(code),
});

process.on('SIGTERM', () => balancer.stop(10_000));
// Detached from the terminal, a hang-up or Ctrl-C is meant for the supervisor.
process.on('SIGINT', () => {});
process.on('SIGHUP', () => {});
