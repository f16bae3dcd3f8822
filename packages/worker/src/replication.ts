import {
  type FromCopySide,
  type FromOwnKeeper,
  formatAddress,
  type Introduction,
  keyLifeMsDefault,
  type NodeId,
  parseSessionId,
  type Rank,
  type SaveReport,
  type SessionId,
  sipKey,
  type ToCopySide,
  type View,
  type ViewNumber,
  type Welcome,
} from '@limpet/core';
import { ReplicatedEngine } from '@limpet/session';
import { dial, type Link, socketPath } from '@limpet/transport';
import { type Keeper, startKeeper } from './keeper.ts';
import { saveSessions } from './save.ts';

/** One worker's share in replication: its engine, its keeper, and a link to every other member's keeper. */
export interface Replication {
  readonly engine: ReplicatedEngine;
  /** Views in order, none skipped. */
  enter(view: View): void;
  /** Full stop: writes what the app's loop holds to its file. */
  save(limitMs: number): Promise<SaveReport>;
  /** The same of the keeper: without a supervisor nobody else tells it to. */
  saveCopies(limitMs: number): Promise<void>;
}

export async function startReplication(options: {
  readonly node: NodeId;
  readonly incarnation: number;
  readonly sockets: string;
  readonly version: string;
  readonly welcome: Welcome;
  readonly rank: Rank;
  readonly mint: (kin: SessionId | null) => SessionId;
  readonly done: (view: ViewNumber) => void;
}): Promise<Replication> {
  const { node, incarnation, sockets, version, welcome, rank, mint, done } = options;
  const macKeys = welcome.macKeys.map(sipKey);
  const savedFolder = welcome.savedFolder ?? null;
  const links = new Map<
    NodeId,
    { readonly incarnation: number; readonly link: Link<FromCopySide, Introduction | ToCopySide> }
  >();
  // The keeper answers only what the engine has asked it: nothing is received before the engine is there.
  const early: (FromCopySide | FromOwnKeeper)[] = [];
  let receive = (message: FromCopySide | FromOwnKeeper): void => {
    early.push(message);
  };
  const keeper: Keeper = await startKeeper({
    node,
    incarnation,
    sockets,
    version,
    rankKey: welcome.rankKey,
    macKeys: welcome.macKeys,
    savedFolder,
    lifetimes: { idleMs: welcome.idleMs, deadlineMs: welcome.deadlineMs },
    proofKey: welcome.proofKey,
    received: (message) => receive(message),
  });
  const engine = new ReplicatedEngine({
    node,
    incarnation,
    rank,
    mint,
    parse: (text) => parseSessionId(text, macKeys),
    deadlineMs: welcome.deadlineMs,
    idleMs: welcome.idleMs,
    absoluteMs: welcome.absoluteMs,
    keyLifeMs: welcome.keyLifeMs ?? keyLifeMsDefault,
    now: () => performance.timeOrigin + performance.now(),
    send: (to, message) => links.get(to)?.link.send(message),
    own: (message) => keeper.post(message),
    done,
    late: reportLate,
  });
  receive = (message) => engine.receivedOwn(message);
  for (const message of early) receive(message);

  /** A link to each present incarnation, none to a former one. */
  function follow(view: View): void {
    for (const [id, known] of links) {
      if (view.members[id]?.incarnation === known.incarnation) continue;
      links.delete(id);
      known.link.close();
    }
    for (const member of Object.values(view.members)) {
      if (member.id === node || links.has(member.id)) continue;
      const link: Link<FromCopySide, Introduction | ToCopySide> = dial(
        socketPath(sockets, `${formatAddress(member)}.copy`),
        {
          open() {
            link.send({ kind: 'member', node, incarnation });
            engine.linked(member.id, member.incarnation, true);
          },
          message: (message) => engine.received(member.id, message),
          close: () => engine.linked(member.id, member.incarnation, false),
        },
        { redial: true, unref: true },
      );
      links.set(member.id, { incarnation: member.incarnation, link });
    }
  }

  return {
    engine,
    enter(view) {
      engine.enter(view);
      follow(view);
    },
    save(limitMs) {
      const { view } = engine;
      const sessions = engine.allToSave();
      return saveSessions({ node, incarnation, side: 'app', folder: savedFolder, view, sessions, limitMs });
    },
    saveCopies: (limitMs) => keeper.save(limitMs),
  };
}

/** How often the same trouble is told at most, in milliseconds. */
const lateEveryMs = 1_000;
let toldLateAtMs = -lateEveryMs;

/** Into the node's own output: who kept a user waiting until the deadline (P4). */
function reportLate(what: 'opening' | 'commit', members: readonly NodeId[]): void {
  const now = performance.now();
  if (now - toldLateAtMs < lateEveryMs) return;
  toldLateAtMs = now;
  const who = members.length === 0 ? 'nobody in particular' : members.join(', ');
  process.stderr.write(`limpet: a request waited until its deadline: ${what} of its session, no answer from ${who}\n`);
}
