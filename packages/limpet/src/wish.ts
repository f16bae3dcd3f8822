import { LimpetError, parseNodeId } from '@limpet/core';
import type { Question, Status } from '@limpet/supervisor';
import { type Call, findRunDir } from './command.ts';
import { ms } from './format-death.ts';

/** How often the cluster is asked how far it is. */
const lookMs = 200;
/** How often progress is printed when no one watches it live. */
const tellMs = 1_000;

/** One wish of an operator, followed until it has come true. */
export interface Wish {
  readonly question: Question;
  readonly body: unknown;
  /** Whether it has come true. */
  isDone(status: Status): boolean;
  /** What is left, for people; null: nothing new to say. */
  describe(status: Status): string;
  /** Says that it cannot come true any more, null while it can. */
  failure?(status: Status): string | null;
  /** The last line. */
  readonly done: string;
}

/** Has the cluster take the wish, prints how far it is, and returns when it has come true. */
export async function follow(call: Call, wish: Wish): Promise<0 | 1> {
  const runDir = await findRunDir(call);
  const { askCluster } = await import('@limpet/supervisor');
  const begin = performance.now();
  const asJson = call.flags.has('--json');
  await askCluster(runDir, wish.question, wish.body);
  let told = '';
  let toldAt = Number.NEGATIVE_INFINITY;
  for (;;) {
    const status = (await askCluster(runDir, 'status', null)) as Status;
    const why = wish.failure?.(status) ?? null;
    if (why !== null) throw new LimpetError('LIMPET_BAD_COMMAND', { why });
    const takenMs = Math.round(performance.now() - begin);
    if (wish.isDone(status)) {
      if (asJson) call.screen.out(JSON.stringify({ done: true, ms: takenMs, status }));
      else call.screen.out(`${wish.done} (${ms(takenMs)})`);
      return 0;
    }
    const line = wish.describe(status);
    if (!asJson && line !== told && performance.now() - toldAt >= tellMs) {
      call.screen.out(line);
      told = line;
      toldAt = performance.now();
    }
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}

/** The node that the command's first word names. */
export function readNode(call: Call): string {
  const [word] = call.words;
  const node = word === undefined ? null : parseNodeId(word);
  if (word !== undefined && node === null) {
    throw new LimpetError('LIMPET_USAGE', { problem: `"${word}" is no node: nodes are called n1, n2, …` });
  }
  return node ?? '';
}

/** `n2: 120 of 5,004 sessions to hand over, 4,800/s, about 1.2 s left`. */
export function describeMove({ moving, unprotected }: Status): string {
  if (moving === null)
    return unprotected > 0 ? `${unprotected} sessions wait for copies` : 'waiting for a quiet moment';
  const { node, kind, left, total, perSecond, etaMs } = moving;
  const what = kind === 'drain' ? 'to hand over' : 'to take in';
  const pace = perSecond === null || etaMs === null ? '' : `, ${perSecond}/s, about ${ms(etaMs)} left`;
  return `${node}: ${left} of ${total} sessions ${what}${pace}`;
}

/** How a node on its way out is doing. */
export function describeLeaving(status: Status, node: string): string {
  const found = status.nodes.find(({ id }) => id === node);
  if (found === undefined || status.moving !== null || !found.leaving) return describeMove(status);
  return `${node}: sessions are handed over, it finishes ${found.inFlight} requests`;
}
