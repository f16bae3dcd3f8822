import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LimpetError } from '@limpet/core';
import { askCluster, type Status, stopOrphans } from '@limpet/supervisor';
import { doorVariable } from './door.ts';

export interface ClusterPlan {
  readonly app: string;
  /** Further flags of `limpet start`. */
  readonly flags: readonly string[];
  readonly appArguments: readonly string[];
  readonly door: string;
}

const bin = fileURLToPath(new URL('../../bin/limpet.js', import.meta.url));
const readyMs = 60_000;
/** After a fault every node must be back, and every session have its copies, within this. */
const settledMs = 60_000;
/** Between two looks at the status. */
const lookMs = 30;
const statusMs = 5_000;
/** A rolling restart of many nodes takes its time. */
const commandMs = 180_000;
/** Of the supervisor's output, shown when it does not start. */
const tailBytes = 2_000;

/** A cluster of the drill's own: `limpet start` as its users run it, in a process that can be killed like any other. */
export class DrillCluster {
  readonly #plan: ClusterPlan;
  readonly #folder = mkdtempSync(join(tmpdir(), 'limpet-drill-'));
  #supervisor: ChildProcess | null = null;
  #status: Status | null = null;

  constructor(plan: ClusterPlan) {
    this.#plan = plan;
  }

  get runDir(): string {
    return join(this.#folder, 'run');
  }

  get url(): string {
    return this.#status?.url ?? '';
  }

  /** Starts the supervisor: with the whole cluster the first time, later one that takes over what is there. */
  async start(): Promise<Status> {
    const { app, flags, appArguments, door } = this.#plan;
    const log = openSync(join(this.#folder, 'supervisor.log'), 'a', 0o600);
    const places = ['--port', '0', '--admin-port', '0', '--run-dir', this.runDir, '--log', 'json'];
    const tail = appArguments.length > 0 ? ['--', ...appArguments] : [];
    const child = spawn(process.execPath, [bin, 'start', app, ...flags, ...places, ...tail], {
      // A group of its own: Ctrl-C is the drill's, which then ends the cluster.
      detached: true,
      env: { ...process.env, [doorVariable]: door },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.#supervisor = child;
    const endsAt = performance.now() + readyMs;
    while (performance.now() < endsAt && child.exitCode === null && child.signalCode === null) {
      const status = (await askCluster(this.runDir, 'status', null).catch(() => null)) as Status | null;
      if (status !== null && status.supervisor.pid === child.pid && isSettled(status)) {
        this.#status = status;
        return status;
      }
      await sleep(lookMs);
    }
    throw new LimpetError('LIMPET_DRILL', { why: `the cluster did not start:\n${this.#tail()}` });
  }

  async status(): Promise<Status> {
    const response = await fetch(new URL('/api/status', this.#status?.admin.url), {
      signal: AbortSignal.timeout(statusMs),
    });
    return (await response.json()) as Status;
  }

  /** Waits until nothing of `gone` is left, everyone is back, and every session has its copies. Rejects with LIMPET_DRILL. */
  async settled(gone: readonly number[]): Promise<Status> {
    const endsAt = performance.now() + settledMs;
    let last: unknown = null;
    while (performance.now() < endsAt) {
      try {
        const status = await this.status();
        last = status;
        const pids = [...status.nodes, ...status.balancers].map(({ pid }) => pid);
        if (isSettled(status) && !gone.some((pid) => pids.includes(pid))) return status;
      } catch (error) {
        last = String(error);
      }
      await sleep(lookMs);
    }
    throw new LimpetError('LIMPET_DRILL', {
      why: `the cluster has not settled within ${settledMs / 1000} s: ${JSON.stringify(last)}`,
    });
  }

  /** Runs a command of the command line on this cluster, to its end. Rejects with LIMPET_DRILL when it fails. */
  async command(words: readonly string[]): Promise<void> {
    const { code, text } = await run([...words, '--run-dir', this.runDir]);
    if (code !== 0)
      throw new LimpetError('LIMPET_DRILL', { why: `limpet ${words.join(' ')} failed (${code}): ${text}` });
  }

  /** Kills the supervisor, and nothing else. */
  async killSupervisor(): Promise<void> {
    const child = this.#supervisor;
    if (child === null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }

  /** Ends every process, the ordinary way or, when that fails, at once, and removes the run directory. */
  async stop(): Promise<void> {
    try {
      await askCluster(this.runDir, 'stop', null);
    } catch {
      this.#supervisor?.kill('SIGKILL');
      await stopOrphans(this.runDir);
    }
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** What the supervisor has said last about the health of the node. */
  lastWordOn(node: string): string {
    const lines = this.#log().split('\n').reverse();
    const line = lines.find((text) => text.includes('"event":"health"') && text.includes(`"node":"${node}"`));
    return line === undefined ? 'nothing was said' : (JSON.parse(line) as { readonly msg: string }).msg;
  }

  #tail(): string {
    return this.#log().slice(-tailBytes);
  }

  #log(): string {
    return readFileSync(join(this.#folder, 'supervisor.log'), 'utf8');
  }
}

/** Whether this command line has the command. */
export const hasCommand = async (name: string): Promise<boolean> => (await run(['help', name])).code === 0;

function run(args: readonly string[]): Promise<{ readonly code: number; readonly text: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [bin, ...args], { timeout: commandMs }, (_, stdout, stderr) =>
      resolve({ code: child.exitCode ?? 1, text: `${stdout}${stderr}`.slice(-tailBytes) }),
    );
  });
}

const isSettled = ({ settled, nodes, balancers }: Status): boolean =>
  settled &&
  nodes.every(({ health, mode }) => health === 'alive' && mode === 'ready') &&
  balancers.every(({ health }) => health === 'alive');

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
