import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach } from 'vitest';
import { runLimpet } from './command.ts';
import { killAll, pidsMarked } from './processes.ts';
import { allAlive, readStatus, type Status } from './status.ts';
import { spanOf, waitUntil } from './wait-until.ts';

/** The command as its users run it. */
export const limpetBin = fileURLToPath(new URL('../../packages/limpet/bin/limpet.js', import.meta.url));
export const counterApp = fileURLToPath(new URL('../fixtures/counter-app.mjs', import.meta.url));

export interface ClusterOptions {
  readonly app?: string;
  readonly nodes?: number;
  readonly balancers?: number;
  /** Further flags of `limpet start`. */
  readonly flags?: readonly string[];
  readonly appArguments?: readonly string[];
  readonly env?: { readonly [name: string]: string };
  /** Working directory; a fresh temporary one unless given. */
  readonly folder?: string;
  /** Puts the command inside another one: a terminal, a package runner. */
  readonly through?: (command: readonly string[]) => readonly string[];
  /** False: return at once, whatever becomes of it. */
  readonly waitReady?: boolean;
}

/** One line of the supervisor's JSON log. */
export interface LogLine {
  readonly [key: string]: unknown;
}

/** A running cluster of real processes. Ended after the test that started it, whatever that test does. */
export interface Cluster {
  readonly folder: string;
  readonly runDir: string;
  readonly supervisor: ChildProcess;
  readonly url: string;
  readonly adminUrl: string;
  /** Every JSON line the supervisor has printed so far. */
  readonly events: readonly LogLine[];
  /** All it has printed, both streams. */
  output(): string;
  status(): Promise<Status>;
  /** Sends `signal` (SIGKILL) to the worker of `node`; returns its pid. `moment`: waited for once the pid is known, right before the signal. */
  kill(node: string, signal?: NodeJS.Signals, moment?: () => Promise<void>): Promise<number>;
  /** All processes of this cluster that run now, from /proc. */
  pids(): readonly number[];
  /** Resolves when every node is alive and every session has its copies. */
  settled(timeout?: number): Promise<Status>;
  /** Resolves with the exit code (128 + signal number is the shell's business: a signal gives null). */
  ended(timeout?: number): Promise<number | null>;
  /** SIGTERM, and waits for the end. */
  stop(): Promise<number | null>;
}

const running = new Map<string, string>();

/** Ends every process of the cluster with this mark. A supervisor may be starting a worker: so it looks until nothing is left. */
function endMarked(mark: string): void {
  for (let round = 0; round < 50; round += 1) {
    const pids = pidsMarked(mark);
    if (pids.length === 0) return;
    killAll(pids);
  }
}

function endAll(): void {
  for (const [mark, folder] of running) {
    endMarked(mark);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
  running.clear();
}
process.on('exit', endAll);
// The runner ends a file that hangs with a signal, no exit event follows one, and process.exit is the runner's own.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    endAll();
    process.kill(process.pid, signal);
  });
}

/** A cluster started in `beforeAll` lives as long as the file; one started in a test ends with it. */
let keepForFile = false;
afterEach(() => {
  if (!keepForFile) endAll();
});

/** Starts a cluster for all tests of a file: call it in `beforeAll`, and `endClusters` in `afterAll`. */
export async function startClusterForFile(options: ClusterOptions = {}): Promise<Cluster> {
  keepForFile = true;
  return startCluster(options);
}
export const endClusters = endAll;

/** A temporary folder that goes with the test's clusters. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'limpet-test-'));
  running.set(folder, folder);
  return folder;
}

/** Starts `limpet start` as a user would and waits until every node is alive. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const folder = options.folder ?? temporaryFolder();
  const mark = `limpet-test-mark-${randomBytes(8).toString('hex')}`;
  running.set(mark, folder);
  const runDir = join(folder, '.limpet');
  const { app = counterApp, nodes = 4, balancers = 1, flags = [], appArguments = [] } = options;
  const counts = ['--nodes', String(nodes), '--balancers', String(balancers)];
  const ports = ['--port', '0', '--admin-port', '0', '--run-dir', runDir, '--log', 'json'];
  const tail = appArguments.length > 0 ? ['--', ...appArguments] : [];
  const plain = [process.execPath, limpetBin, 'start', app, ...ports, ...counts, ...flags, ...tail];
  const [program = '', ...args] = options.through ? options.through(plain) : plain;
  const supervisor = spawn(program, args, {
    cwd: folder,
    env: { ...process.env, ...options.env, LIMPET_TEST_MARK: mark, NODE_ENV: 'production' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });

  let printed = '';
  let partial = '';
  const events: LogLine[] = [];
  supervisor.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
    const lines = (partial + text).split('\n');
    partial = lines.pop() ?? '';
    for (const line of lines) {
      if (line.startsWith('{')) events.push(JSON.parse(line));
    }
  });
  supervisor.stderr.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  const killed = new Set<number>();
  const exit = new Promise<number | null>((resolve) => supervisor.once('close', resolve));

  const ready = (): LogLine | undefined => events.find((line) => line.event === 'ready');
  const addressOf = (key: string): string => {
    const address = ready()?.[key];
    return typeof address === 'string' ? address : '';
  };
  const status = (): Promise<Status> =>
    addressOf('adminUrl') ? readStatus(addressOf('adminUrl')) : statusByCommand(folder, runDir);
  const cluster: Cluster = {
    folder,
    runDir,
    supervisor,
    get url() {
      return addressOf('url');
    },
    get adminUrl() {
      return addressOf('adminUrl');
    },
    events,
    output: () => printed,
    status,
    pids: () => pidsMarked(mark),
    async kill(node, signal = 'SIGKILL', moment = () => Promise.resolve()) {
      const found = (await status()).nodes.find(({ id }) => id === node);
      if (!found?.pid) throw new Error(`${node} has no process`);
      await moment();
      process.kill(found.pid, signal);
      if (signal === 'SIGKILL') killed.add(found.pid);
      return found.pid;
    },
    async settled(timeout = 20_000) {
      let last: Status | null = null;
      const look = async (): Promise<Status | null> => {
        last = await status();
        // For a moment after a kill everything still looks well.
        if (last.nodes.some(({ pid }) => pid !== null && killed.has(pid))) return null;
        return allAlive(last, nodes) ? last : null;
      };
      try {
        return (await waitUntil(look, { timeout, what: `${nodes} nodes alive and settled` })) as Status;
      } catch (error) {
        throw new Error(`not settled: ${JSON.stringify(last)}`, { cause: error });
      }
    },
    async ended(timeout = 15_000) {
      await waitUntil(() => supervisor.exitCode !== null || supervisor.signalCode !== null, {
        timeout,
        what: 'the end of limpet start',
      });
      // A package runner may end and leave behind those who hold its output.
      return Promise.race([exit, spanOf(2_000).then(() => supervisor.exitCode)]);
    },
    async stop() {
      supervisor.kill('SIGTERM');
      return cluster.ended();
    },
  };
  if (options.waitReady === false) return cluster;
  try {
    await waitUntil(() => ready() || supervisor.exitCode !== null, { timeout: 30_000, what: 'the ready line' });
    await cluster.settled(30_000);
  } catch (error) {
    throw new Error(`the cluster did not start: ${error}; it printed:\n${printed}`, { cause: error });
  }
  return cluster;
}

async function statusByCommand(folder: string, runDir: string): Promise<Status> {
  const { stdout } = await runLimpet(['status', '--json', '--run-dir', runDir], { folder });
  return JSON.parse(stdout);
}
