import { type MessagePort, workerData } from 'node:worker_threads';
import {
  type CopyEffect,
  type CopyEvent,
  CopyMachine,
  createRank,
  type FromCopySide,
  type FromOwnKeeper,
  type FromSupervisor,
  formatAddress,
  formatViewNumber,
  type Introduction,
  type Lifetimes,
  type NodeId,
  numberOf,
  type SavedSession,
  type SaveReport,
  sipKey,
  type ToCopySide,
  type ToOwnKeeper,
  type ToSupervisor,
  type ViewNumber,
} from '@limpet/core';
import { dial, type Link, listen, Prover, socketPath, whoOf } from '@limpet/transport';
import { BatchedPort } from './batched-port.ts';
import { reportCustody } from './custody-reports.ts';
import { startHeartbeat } from './heartbeat.ts';
import { MemberLinks } from './member-links.ts';
import { restoreSessions } from './restore.ts';
import { saveSessions } from './save.ts';

/** What the app's loop gives the keeper when it starts it. */
export interface KeeperData {
  readonly node: NodeId;
  readonly incarnation: number;
  readonly sockets: string;
  readonly version: string;
  readonly rankKey: Uint8Array;
  readonly macKeys: readonly Uint8Array[];
  readonly lifetimes: Lifetimes;
  readonly proofKey: Uint8Array;
  /** Null: sessions are not kept over a full stop. */
  readonly savedFolder: string | null;
  readonly port: MessagePort;
  /** Where the app's loop shows that it turns. */
  readonly pulse: SharedArrayBuffer;
  /** Where SIGUSR1 opens the inspector of this process. */
  readonly debuggerPort: number;
}

/** From the own app loop. `save`: no supervisor is there to say so (it says so itself, to both sides). */
export type ToKeeperThread = ToOwnKeeper | ToCopySide | { readonly kind: 'save'; readonly limitMs: number };
/** To the own app loop. */
export type FromKeeperThread = FromCopySide | FromOwnKeeper | { readonly kind: 'saved' };

const tickMs = 50;
const statsMs = 500;
/** The sweep after a view change runs in slices of about this long, in milliseconds: acknowledgements go in between (P5). */
const sliceMs = 1.5;
/** Copies per step of a slice. */
const sweepBudget = 50;
const countShare = 200;
/** A view is reported done again this often, in milliseconds (P9). */
const reportAgainMs = 250;

/**
 * The keeper: the copy side of a worker on a thread of its own, so that a page that blocks the app's loop does not make
 * every other node's writes wait. It receives copies, answers claims and follows views by itself.
 */
const data = workerData as KeeperData;
const { node, incarnation, sockets, version, rankKey, proofKey, lifetimes, savedFolder, port } = data;
const macKeys = data.macKeys.map(sipKey);
const rank = createRank(sipKey(rankKey));
const toApp = new BatchedPort<FromKeeperThread>(port);
const machine = new CopyMachine({ self: node, rank, ...lifetimes });
const links = new MemberLinks<Link<Introduction | ToCopySide, FromCopySide>>();
const now = () => performance.timeOrigin + performance.now();
let reported = '';
let reportedAtMs = 0;
let isSliceDue = false;

const me = { role: 'keeper', name: node, incarnation } as const;
const prover = new Prover(whoOf(me), () => proofKey);
let settled: ViewNumber | null = null;

const lookAtCustody = reportCustody(
  () => {
    const { sweptView: view, orphans } = machine;
    if (view === null) return null;
    return { view: numberOf(view), holdings: [], orphans, changes: `${formatViewNumber(view)} ${orphans}` };
  },
  (report) => control.send({ kind: 'custody', ...report }),
);

const control = dial<FromSupervisor, ToSupervisor>(socketPath(sockets, 'control'), {
  open() {
    const { view: seen } = machine;
    const nonce = prover.begin();
    control.send({ kind: 'hello', ...me, pid: process.pid, seen, settled, nonce, version });
  },
  message(message) {
    if (message.kind === 'challenge') control.send({ kind: 'proof', proof: prover.answer(message) });
    if (!prover.isProven) return;
    if (message.kind === 'settled') settled = message.view;
    if (message.kind === 'save') void save(message.limitMs).then((report) => control.send({ kind: 'saved', report }));
    if (message.kind === 'restore') void restore(message);
    if (message.kind !== 'views') return;
    for (const view of message.views) step({ kind: 'view', view });
    sendStats();
  },
});

/** Full stop: everything held here, to a file. */
function save(limitMs: number): Promise<SaveReport> {
  const { view } = machine;
  const sessions = machine.allToSave();
  return saveSessions({ node, incarnation, side: 'keeper', folder: savedFolder, view, sessions, limitMs });
}

/** Before the first view: what the last full stop has left. */
async function restore({ sequence, files, view }: FromSupervisor & { readonly kind: 'restore' }): Promise<void> {
  const take = (session: SavedSession): void => step({ kind: 'restore', session });
  const report = await restoreSessions({ node, rank, macKeys, lifetimes, files, view, now, take });
  control.send({ kind: 'restored', sequence, report });
}

function step(event: CopyEvent): void {
  for (const effect of machine.step(event, now())) perform(effect);
}

function perform(effect: CopyEffect): void {
  switch (effect.kind) {
    case 'send':
      links.to(effect.to)?.send(effect.message);
      return;
    case 'own':
      toApp.post(effect.message);
      return;
    case 'more':
      sweepSoon();
      return;
    case 'cut':
      links.to(effect.member)?.close();
      return;
    case 'done': {
      const name = `${effect.view.term}.${effect.view.number}`;
      if (name === reported && now() - reportedAtMs < reportAgainMs) return;
      reported = name;
      reportedAtMs = now();
      lookAtCustody();
      control.send({ kind: 'done', view: effect.view });
      return;
    }
  }
}

function sweepSoon(): void {
  if (isSliceDue) return;
  isSliceDue = true;
  setImmediate(sweepSlice);
}

function sweepSlice(): void {
  isSliceDue = false;
  const begin = performance.now();
  do step({ kind: 'sweep', budget: sweepBudget });
  while (machine.sweeping && performance.now() - begin < sliceMs);
  if (machine.sweeping) sweepSoon();
  else {
    sendStats();
    lookAtCustody();
  }
}

let last = { sessions: 0, bytes: 0 };
let countedAtMs = 0;
let countMs = 0;

/** Counting looks at every copy: at most one part in `countShare` of this thread's time goes into it. */
function counted(): { readonly sessions: number; readonly bytes: number } {
  const begin = performance.now();
  if (begin - countedAtMs < countShare * countMs) return last;
  last = machine.count();
  countedAtMs = performance.now();
  countMs = countedAtMs - begin;
  return last;
}

function sendStats(): void {
  const { view, promoted, unprotected } = machine;
  const { sessions: buddy, bytes } = counted();
  control.send({
    kind: 'stats',
    view,
    primary: 0,
    buddy,
    unprotected,
    uncopied: 0,
    inFlight: 0,
    promoted,
    bytes,
    unheld: 0,
  });
}

await listen<Introduction | ToCopySide, FromCopySide>(
  socketPath(sockets, `${formatAddress({ id: node, incarnation })}.copy`),
  (link) => {
    let from: NodeId | null = null;
    return {
      message(message) {
        if (message.kind === 'member') {
          from = message.node;
          links.introduce(from, message.incarnation, link);
        } else if (from !== null) {
          step({ kind: 'message', from, message });
        }
      },
      close() {
        if (from !== null) links.ended(from, link);
      },
    };
  },
);

port.on('message', (messages: readonly ToKeeperThread[]) => {
  for (const message of messages) {
    if (message.kind === 'save') void save(message.limitMs).then(() => toApp.post({ kind: 'saved' }));
    else step({ kind: 'own', message });
  }
});
setInterval(() => step({ kind: 'tick' }), tickMs);
setInterval(sendStats, statsMs);
startHeartbeat(data.pulse, data.debuggerPort, (shown) => control.send({ kind: 'beat', ...shown }));
port.postMessage({ kind: 'listening' });
