import { spawn } from 'node:child_process';
import type { Ending } from './ending.ts';
import type { DeathWatch } from './proc.ts';
import type { ProcessTable } from './process-table.ts';

export interface Launch {
  readonly name: string;
  readonly role: 'worker' | 'balancer' | 'holder';
  readonly incarnation: number;
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** Takes its standard output and standard error. */
  readonly logFd: number;
  /** Inherited as descriptors 3 and up. */
  readonly fds: readonly number[];
}

/** One process of the cluster, from its start to the proof of its death. */
export interface Running {
  readonly pid: number;
  readonly incarnation: number;
  readonly dead: boolean;
  /** Resolves with the proof of its death. */
  readonly ended: Promise<void>;
  /** Looks at once whether it is dead. */
  look(): void;
  /** Does nothing once it is dead, so a pid that was used again is never signalled. */
  kill(signal: NodeJS.Signals): void;
}

/**
 * Starts a Node process that outlives this one: in a session of its own (Ctrl-C and hang-up reach only the
 * supervisor), without a pipe or channel to it. Gives null, after calling nothing, when it could not be started.
 */
export function launch(
  what: Launch,
  watch: DeathWatch,
  table: ProcessTable,
  onDeath: (ending: Ending) => void,
): Running | { readonly failed: Promise<string> } {
  const child = spawn(process.execPath, what.argv, {
    cwd: what.cwd,
    env: what.env,
    detached: true,
    stdio: ['ignore', what.logFd, what.logFd, ...what.fds],
  });
  const { pid } = child;
  if (pid === undefined) {
    return { failed: new Promise((resolve) => child.once('error', (error) => resolve(error.message))) };
  }
  let resolveEnded: () => void;
  const ended = new Promise<void>((resolve) => {
    resolveEnded = resolve;
  });
  // In the turn of the spawn: the process cannot have been reaped, so the pid is certainly its own.
  const watched = watch.watch(pid, (ending) => {
    killGroup(pid);
    onDeath(ending);
    table.remove(pid);
    resolveEnded();
  });
  child.on('exit', (code, signal) => watched.exited(code, signal));
  child.on('error', () => watched.look());
  table.add({ name: what.name, role: what.role, incarnation: what.incarnation, pid, startTime: watched.startTime });
  return {
    pid,
    incarnation: what.incarnation,
    get dead() {
      return watched.dead;
    },
    ended,
    look: () => watched.look(),
    kill(signal) {
      watched.look();
      if (!watched.dead) sendSignal(pid, signal);
    },
  };
}

/** What the process itself had started in its group goes with it, as it would at a terminal. */
export const killGroup = (pid: number): void => sendSignal(-pid, 'SIGKILL');

export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone meanwhile: what the signal was for has happened.
  }
}
