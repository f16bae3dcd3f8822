import type { Loss, NodeId, View, ViewNumber } from '@limpet/core';
import type { BalancerSlot } from './balancers.ts';
import { appVersion } from './commands.ts';
import type { DeathReport } from './events.ts';
import type { ClusterOptions } from './options.ts';
import type { MoveProgress } from './progress.ts';
import type { Slot } from './slot.ts';
import { total } from './stats.ts';

/** The cluster at one look: `limpet status --json` and `GET /api/status`. */
export interface Status {
  readonly view: ViewNumber | null;
  readonly url: string;
  readonly admin: { readonly url: string };
  readonly supervisor: { readonly pid: number; readonly uptimeMs: number };
  readonly balancers: readonly BalancerStatus[];
  readonly nodes: readonly NodeStatus[];
  readonly ring: readonly string[];
  /** The ring being moved to, null when stable. */
  readonly next: readonly string[] | null;
  /** The join or drain that is under way, null when none is. */
  readonly moving: MoveProgress | null;
  /** Nodes that are being started anew by `limpet restart`, in that order. */
  readonly restarts: readonly string[];
  /** Every session has all its copies. */
  readonly settled: boolean;
  /** Sessions with fewer copies than wanted. */
  readonly unprotected: number;
  /** Sessions lost with all their copies since this supervisor began. */
  readonly lost: number;
  /** Whether `lost` was counted while nothing was changing; else it is about so many. */
  readonly lostIsExact: boolean;
  /** Sessions that users came back for and nobody held: lost ones, and others that had ended long before. */
  readonly unheld: number;
  readonly store: 'buddy' | 'memory';
  readonly copies: number;
  readonly appFile: string;
  readonly runDir: string;
  /** The newest last. */
  readonly lastDeaths: readonly DeathReport[];
}

export interface BalancerStatus {
  readonly id: string;
  readonly pid: number | null;
  readonly incarnation: number;
  readonly health: 'alive' | 'starting' | 'dead';
}

export interface NodeStatus {
  readonly id: string;
  readonly pid: number | null;
  readonly incarnation: number;
  /** `starting`: its process runs and is not a member yet. */
  readonly health: 'alive' | 'starting' | 'suspect' | 'dead';
  /** What the operator wants of it. */
  readonly mode: 'ready' | 'drain';
  /** Out of the ring, and finishing what it runs. */
  readonly leaving: boolean;
  /** Stopped by `limpet pause`. */
  readonly paused: boolean;
  readonly version: string;
  readonly sessions: { readonly primary: number; readonly buddy: number };
  readonly unprotected: number;
  readonly inFlight: number;
  readonly bytes: number;
  /** How often it was started. */
  readonly starts: number;
  /** Other ports of the app and where they went. */
  readonly ports: readonly string[];
  /** Why it is suspect, down, or was started anew; null when nothing of these. */
  readonly reason: string | null;
  /** It will not be started again. */
  readonly givenUp: boolean;
}

export interface StatusInput {
  readonly options: ClusterOptions;
  readonly runDir: string;
  readonly view: View | null;
  readonly settled: boolean;
  readonly modeOf: (node: NodeId) => NodeStatus['mode'];
  readonly restarts: readonly NodeId[];
  readonly moving: MoveProgress | null;
  /** Why a node is suspect, null when it is not (P8). */
  readonly suspicionOf: (node: NodeId) => string | null;
  readonly url: string;
  readonly adminUrl: string;
  readonly startedAt: number;
  readonly slots: readonly Slot[];
  readonly balancers: readonly BalancerSlot[];
  readonly lastDeaths: readonly DeathReport[];
  readonly loss: Loss;
  readonly unheld: number;
}

export function describeCluster(input: StatusInput): Status {
  const { options, view } = input;
  const nodes = input.slots.map((slot) => describeNode(slot, view, input));
  return {
    view: view && { term: view.term, number: view.number },
    url: input.url,
    admin: { url: input.adminUrl },
    supervisor: { pid: process.pid, uptimeMs: Math.round(performance.now() - input.startedAt) },
    balancers: input.balancers.map(describeBalancer),
    nodes,
    ring: view?.ring ?? [],
    next: view?.next ?? null,
    restarts: input.restarts,
    moving: input.moving,
    settled: input.settled,
    unprotected: nodes.reduce((sum, node) => sum + node.unprotected, 0),
    lost: input.loss.sessions,
    lostIsExact: input.loss.isExact,
    unheld: input.unheld,
    store: options.store,
    copies: copiesOf(options),
    appFile: options.app.file,
    runDir: input.runDir,
    lastDeaths: input.lastDeaths,
  };
}

/** A session in memory has no copy, whatever was asked for. */
export const copiesOf = (options: ClusterOptions): number => (options.store === 'memory' ? 1 : options.copies);

function describeNode(slot: Slot, view: View | null, input: StatusInput): NodeStatus {
  const suspicion = input.suspicionOf(slot.id);
  const { life } = slot;
  const stats = life?.stats ?? {};
  return {
    id: slot.id,
    pid: life?.running.pid ?? null,
    incarnation: slot.incarnation,
    health: healthOf(slot, view, suspicion),
    mode: input.modeOf(slot.id),
    leaving: view?.leaving.includes(slot.id) === true,
    paused: life?.paused === true,
    version: appVersion,
    sessions: { primary: total(stats, 'primary'), buddy: total(stats, 'buddy') },
    unprotected: total(stats, 'unprotected'),
    inFlight: total(stats, 'inFlight'),
    bytes: total(stats, 'bytes'),
    starts: slot.incarnation,
    ports: life?.notes ?? [],
    reason: suspicion ?? slot.reason,
    givenUp: slot.givenUp,
  };
}

function healthOf({ id, life }: Slot, view: View | null, suspicion: string | null): NodeStatus['health'] {
  if (life === null) return 'dead';
  if (!isMember(id, life.incarnation, view)) return 'starting';
  return suspicion === null ? 'alive' : 'suspect';
}

const isMember = (id: NodeId, incarnation: number, view: View | null): boolean =>
  view?.members[id]?.incarnation === incarnation;

function describeBalancer(slot: BalancerSlot): BalancerStatus {
  const health = slot.running === null ? 'dead' : slot.readyAt === null ? 'starting' : 'alive';
  return { id: slot.name, pid: slot.running?.pid ?? null, incarnation: slot.incarnation, health };
}
