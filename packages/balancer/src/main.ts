import { Holder } from './holder.ts';
import { parseRun, type Run } from './run.ts';

/** The entry of a balancer process, or of the port's holder: `LIMPET_RUN` says who it is, descriptor 3 is the listening socket. */

const run = parseRun(process.env.LIMPET_RUN);
delete process.env.LIMPET_RUN;
if (run === null) {
  process.stderr.write('this file is started by limpet start\n');
  process.exit(2);
}
process.stdout.on('error', () => {});
process.stderr.on('error', () => {});
// Detached from the terminal, a hang-up or Ctrl-C is meant for the supervisor.
process.on('SIGINT', () => {});
process.on('SIGHUP', () => {});
process.on('SIGTERM', await begin(run));

/** Gives what ends it in good order. A holder has little to do and loads little. */
async function begin(me: Run): Promise<() => void> {
  const onEnd = (code: number): never => process.exit(code);
  if (me.role === 'balancer') return (await import('./process.ts')).startBalancer(me, onEnd);
  const holder = new Holder(me, onEnd);
  return () => holder.end();
}
