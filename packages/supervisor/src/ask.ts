import { type ErrorCode, errorTable, type FromSupervisor, LimpetError, type ToSupervisor } from '@limpet/core';
import { dial, socketPath } from '@limpet/transport';
import { readLeft } from './left-processes.ts';
import { isAlive, isSupervised } from './proc.ts';
import { namesOf } from './process-table.ts';
import type { Question } from './questions.ts';
import { readClusterFile, runDirectoryAt } from './run-directory.ts';

/** How long each answer may take. */
const usualMs = 5_000;
const answerMs: Partial<Record<Question, number>> = { kill: 30_000, stop: 30_000 };
/** After `stop` was answered the supervisor itself still has to end. */
const supervisorEndMs = 5_000;
const lookMs = 20;

/**
 * Asks the cluster that runs in `runDir` from another process. Rejects with LIMPET_NO_CLUSTER when none runs there,
 * LIMPET_UNSUPERVISED when only its workers and balancers do,
 * LIMPET_DEADLINE when it does not answer, or the error the cluster answered with. `stop` resolves when no process of
 * the cluster is left, the supervisor included.
 */
export async function askCluster(runDir: string, question: Question, body: unknown): Promise<unknown> {
  const run = runDirectoryAt(runDir);
  const cluster = readClusterFile(run);
  if (cluster === null || !isSupervised(cluster)) {
    const left = readLeft(run).living;
    if (left.length === 0) throw new LimpetError('LIMPET_NO_CLUSTER', { dir: run.path });
    throw new LimpetError('LIMPET_UNSUPERVISED', { dir: run.path, names: namesOf(left) });
  }
  const answer = await askOver(socketPath(cluster.sockets, 'control'), question, body, run.path);
  if (question === 'stop') await untilGone(cluster.pid, cluster.startTime);
  return answer;
}

function askOver(path: string, question: Question, body: unknown, dir: string): Promise<unknown> {
  const ms = answerMs[question] ?? usualMs;
  return new Promise((resolve, reject) => {
    const end = (finish: () => void) => {
      clearTimeout(timer);
      finish();
      link.close();
    };
    const timer = setTimeout(
      () =>
        end(() =>
          reject(new LimpetError('LIMPET_DEADLINE', { ms, what: `the supervisor did not answer ${question}` })),
        ),
      ms,
    );
    const link = dial<FromSupervisor, ToSupervisor>(
      path,
      {
        open() {
          const nothing = { seen: null, settled: null, nonce: null, version: '' };
          const who = { role: 'command', name: question, incarnation: 0, pid: process.pid } as const;
          link.send({ kind: 'hello', ...who, ...nothing });
          link.send({ kind: 'ask', sequence: 1, question, body });
        },
        message(message) {
          if (message.kind !== 'answer') return;
          end(() => (message.ok ? resolve(message.body) : reject(errorOf(message.body))));
        },
        close: () => end(() => reject(new LimpetError('LIMPET_NO_CLUSTER', { dir }))),
      },
      { redial: false },
    );
  });
}

/** What travels of an error: enough to make it again on the other side. */
export function bodyOf(error: unknown): unknown {
  if (error instanceof LimpetError) return { code: error.code, detail: error.detail };
  return { code: 'LIMPET_BAD_COMMAND', detail: { why: error instanceof Error ? error.message : String(error) } };
}

function errorOf(body: unknown): LimpetError {
  const { code, detail } = (body ?? {}) as {
    readonly code?: unknown;
    readonly detail?: Record<string, string | number>;
  };
  if (typeof code === 'string' && code in errorTable) return new LimpetError(code as ErrorCode, detail ?? {});
  return new LimpetError('LIMPET_BAD_COMMAND', { why: String(code) });
}

async function untilGone(pid: number, startTime: string | null): Promise<void> {
  const end = performance.now() + supervisorEndMs;
  // A command of the same process (a test, an embedding program) does not wait for its own end.
  while (pid !== process.pid && isAlive(pid, startTime) && performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}
