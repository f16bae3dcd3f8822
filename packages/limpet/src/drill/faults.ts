import { randomBytes } from 'node:crypto';
import { unreachable } from '@limpet/core';
import type { DeathReport, NodeStatus, Status } from '@limpet/supervisor';
import type { DrillCluster } from './cluster.ts';
import { type FaultKind, faultCommands } from './fault-kinds.ts';
import type { Load } from './load.ts';
import type { Outage, Outages } from './outages.ts';
import type { Random } from './random.ts';
import { type Ground, Visit } from './visit.ts';

/** Where a fault is made. */
export interface Scene {
  readonly cluster: DrillCluster;
  readonly load: Load;
  readonly ground: Ground;
  readonly outages: Outages;
  readonly random: Random;
  /** The nodes that were hit last. */
  readonly recent: string[];
}

/** One fault and what came of it. Times are milliseconds. */
export interface FaultRecord {
  readonly kind: FaultKind;
  /** The incarnations it was meant for. */
  readonly victims: readonly string[];
  /** Worker processes that died of it. */
  readonly deaths: number;
  /** Processes killed, workers and others. */
  readonly kills: number;
  /** From the fault until one of its users was served again; null where the fault takes nothing away. */
  readonly firstSuccessMs: number | null;
  readonly settledMs: number;
  /** The cluster's own figures of each death. */
  readonly reports: readonly TimedReport[];
}

/** A death as the cluster tells it, with what only the drill knows. */
export interface TimedReport {
  readonly report: DeathReport;
  /** From the signal to the proof, by the machine's clock; null when the signal was not the drill's. */
  readonly detectedMs: number | null;
}

/** Users of a node who ask at once after a fault. */
const nudged = 8;
const pauseMs = { least: 50, most: 900 } as const;
const blockMs = { least: 100, most: 1_500 } as const;
/** How long the cluster goes without a supervisor before the next is started. */
const alone = { least: 0, most: 1_000 } as const;
/** Longer than any hung process is let live. */
const hangMs = 20_000;
const lookMs = 20;
/** Of the nodes drawn, this share is not one of those hit last. */
const restedShare = 0.8;
/** Nobody was served for so long: the figure stays unknown. */
const firstSuccessMsMax = 5_000;

/** Makes the fault, waits until the cluster is settled again, and tells what came of it. */
export async function makeFault(kind: FaultKind, scene: Scene): Promise<FaultRecord> {
  const before = await scene.cluster.status();
  scene.ground.tally.begin(kind);
  const began = performance.now();
  const wallBegan = Date.now();
  const done = await perform(kind, scene, before);
  const after = await scene.cluster.settled(done.gone);
  if (done.outage !== null) await waitForSuccess(done.outage);
  const settledMs = performance.now() - began;
  scene.outages.end();
  const reports = after.lastDeaths
    .filter(({ at }) => at >= wallBegan - 1)
    .map((report) => ({ report, detectedMs: done.signalAt === null ? null : report.at - done.signalAt }));
  // A node can die twice of one fault: P21 gives a request that ended its worker among others one more.
  const deaths = after.nodes.reduce((sum, { id, incarnation }) => {
    const isAnother = incarnation !== nodeOf(before, id)?.incarnation;
    return sum + Math.max(isAnother ? 1 : 0, reports.filter(({ report }) => report.node === id).length);
  }, 0);
  // A node that an operation has replaced was not killed.
  const kills = faultCommands[kind] === undefined ? deaths + done.otherKills : 0;
  const firstSuccessMs = done.outage?.firstSuccessMs ?? null;
  return { kind, victims: done.victims, deaths, kills, firstSuccessMs, settledMs, reports };
}

/** The first success may come later than the settled view: someone has to ask. */
async function waitForSuccess(outage: Outage): Promise<void> {
  const endsAt = performance.now() + firstSuccessMsMax;
  while (outage.firstSuccessMs === null && performance.now() < endsAt) await sleep(lookMs);
}

interface Done {
  readonly victims: readonly string[];
  /** Processes that must be gone before the cluster counts as settled. */
  readonly gone: readonly number[];
  readonly outage: Outage | null;
  /** Milliseconds since the epoch at which the drill sent SIGKILL to the victims; null: it did not. */
  readonly signalAt: number | null;
  /** Processes killed that are no workers. */
  readonly otherKills: number;
}

function perform(kind: FaultKind, scene: Scene, status: Status): Promise<Done> {
  switch (kind) {
    case 'kill':
      return kill(scene, status, 1);
    case 'double':
      return kill(scene, status, 2);
    case 'crash':
      return crash(scene, status, ['exit?', 'throw?', 'abort?']);
    case 'memory':
      return crash(scene, status, ['memory?']);
    case 'block':
      return block(scene);
    case 'pause':
      return pause(scene, status);
    case 'hang':
      return hang(scene, status);
    case 'balancer':
      return killBalancer(scene, status);
    case 'supervisor':
      return killSupervisor(scene, status);
    case 'rolling':
      return operate(scene, [['restart', '--rolling']], []);
    case 'scale': {
      const { length } = status.nodes;
      return operate(
        scene,
        [
          ['scale', String(length + 1)],
          ['scale', String(length)],
        ],
        [],
      );
    }
    case 'drain': {
      const [victim] = drawNodes(scene, status, 1);
      const id = victim?.id ?? '';
      return operate(
        scene,
        [
          ['drain', id],
          ['undrain', id],
        ],
        [id],
      );
    }
    default:
      return unreachable(kind);
  }
}

const addressOf = ({ id, incarnation }: NodeStatus): string => `${id}.${incarnation}`;
const nodeOf = (status: Status, id: string): NodeStatus | undefined => status.nodes.find((node) => node.id === id);

type Running = NodeStatus & { readonly pid: number };

/**
 * Draws nodes that run. Mostly not those hit last: a node that has died young several times is started again with a delay of up to 5 s, and the drill
 * would wait for little else.
 */
function drawNodes({ random, recent }: Scene, { nodes }: Status, count: number): readonly Running[] {
  const running = nodes.filter((node): node is Running => node.pid !== null);
  const rested = running.filter(({ id }) => !recent.includes(id));
  const left = rested.length >= count && random.isBelow(restedShare) ? rested : running;
  const drawn: Running[] = [];
  while (drawn.length < count && left.length > 0) drawn.push(...left.splice(random.whole(0, left.length - 1), 1));
  recent.push(...drawn.map(({ id }) => id));
  while (recent.length > running.length / 2) recent.shift();
  return drawn;
}

async function kill(scene: Scene, status: Status, count: number): Promise<Done> {
  const victims = drawNodes(scene, status, count);
  const addresses = victims.map(addressOf);
  const outage = scene.outages.begin(addresses, performance.now());
  const signalAt = Date.now();
  for (const { pid } of victims) process.kill(pid, 'SIGKILL');
  scene.load.nudge(addresses, nudged);
  return { victims: addresses, gone: victims.map(({ pid }) => pid), outage, signalAt, otherKills: 0 };
}

/** Somebody of whom nothing is expected any more after this: signed in, so that it is known which node it hits. */
async function signIn({ ground }: Scene): Promise<Visit> {
  const visit = new Visit(ground, `x${randomBytes(6).toString('hex')}`);
  await visit.login();
  return visit;
}

/** The path is another one each time: a route that ended a node is refused for a while. */
function askForFault({ ground }: Scene, visit: Visit, name: string) {
  const path = `/${ground.door}/${name.replace('?', `/${randomBytes(6).toString('hex')}?`)}`;
  return ground.client.ask({ method: 'GET', path, cookie: visit.cookie });
}

async function crash(scene: Scene, status: Status, ways: readonly string[]): Promise<Done> {
  const visit = await signIn(scene);
  const victims = visit.by === null ? [] : [visit.by];
  const outage = scene.outages.begin(victims, performance.now());
  const way = scene.random.pick(ways) ?? 'exit?';
  const answer = askForFault(scene, visit, way);
  scene.load.nudge(victims, nudged);
  const reply = await answer;
  // Every way to say that it was not done, or that nobody knows, is right; that it worked is not.
  if (reply.kind !== 'answer' || reply.outcome === null) scene.ground.tally.note(`${way} ${JSON.stringify(reply)}`);
  const wasRun = reply.kind !== 'answer' || reply.outcome !== 'not-executed';
  const gone = status.nodes
    .filter((node) => wasRun && victims.includes(addressOf(node)))
    .flatMap(({ pid }) => pid ?? []);
  return { victims, gone, outage, signalAt: null, otherKills: 0 };
}

async function block(scene: Scene): Promise<Done> {
  const visit = await signIn(scene);
  const ms = scene.random.whole(blockMs.least, blockMs.most);
  const reply = await askForFault(scene, visit, `block?ms=${ms}`);
  if (reply.kind !== 'answer' || reply.status !== 200) {
    scene.ground.tally.failedIdempotent += 1;
    scene.ground.tally.note(`block for ${ms} ms: ${JSON.stringify(reply)}`);
  }
  await visit.logout();
  return { victims: visit.by === null ? [] : [visit.by], gone: [], outage: null, signalAt: null, otherKills: 0 };
}

async function pause(scene: Scene, status: Status): Promise<Done> {
  const victims = drawNodes(scene, status, 1);
  const addresses = victims.map(addressOf);
  for (const { pid } of victims) process.kill(pid, 'SIGSTOP');
  await sleep(scene.random.whole(pauseMs.least, pauseMs.most));
  // A pause that the cluster may not end: whoever is gone was taken for dead.
  for (const { pid } of victims) process.kill(pid, 'SIGCONT');
  return { victims: addresses, gone: [], outage: null, signalAt: null, otherKills: 0 };
}

async function hang(scene: Scene, status: Status): Promise<Done> {
  const victims = drawNodes(scene, status, 1);
  const addresses = victims.map(addressOf);
  const outage = scene.outages.begin(addresses, performance.now());
  for (const { pid } of victims) process.kill(pid, 'SIGSTOP');
  scene.load.nudge(addresses, nudged);
  const endsAt = performance.now() + hangMs;
  const isThere = async (): Promise<boolean> => {
    const { nodes } = await scene.cluster.status();
    return victims.some(({ pid }) => nodes.some((node) => node.pid === pid));
  };
  while (performance.now() < endsAt && (await isThere())) await sleep(lookMs);
  if (await isThere()) {
    for (const { id } of victims) {
      scene.ground.tally.note(`${id} is still there after ${hangMs / 1000} s: ${scene.cluster.lastWordOn(id)}`);
    }
  }
  for (const { pid } of victims) continueIfThere(pid);
  return { victims: addresses, gone: [], outage, signalAt: null, otherKills: 0 };
}

function continueIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT');
  } catch {
    // Killed, as it should be.
  }
}

async function killBalancer(scene: Scene, { balancers }: Status): Promise<Done> {
  const victim = scene.random.pick(balancers.filter(({ pid }) => pid !== null));
  const pid = victim?.pid ?? null;
  if (victim === null || pid === null) return { victims: [], gone: [], outage: null, signalAt: null, otherKills: 0 };
  const outage = scene.outages.beginAtBalancer(performance.now());
  process.kill(pid, 'SIGKILL');
  return { victims: [victim.id], gone: [pid], outage, signalAt: null, otherKills: 1 };
}

/** Traffic goes on without a supervisor; a worker that dies meanwhile is missed by its users until the next one is there. */
async function killSupervisor(scene: Scene, status: Status): Promise<Done> {
  await scene.cluster.killSupervisor();
  const victims = scene.random.isBelow(0.5) ? drawNodes(scene, status, 1) : [];
  const addresses = victims.map(addressOf);
  await sleep(scene.random.whole(alone.least, alone.most));
  const outage = scene.outages.begin(victims.length === 0 ? null : addresses, performance.now());
  for (const { pid } of victims) process.kill(pid, 'SIGKILL');
  scene.load.nudge(addresses, nudged);
  await scene.cluster.start();
  return { victims: addresses, gone: victims.map(({ pid }) => pid), outage, signalAt: null, otherKills: 1 };
}

/** What an operator does by a command, one after the other. Rejects with LIMPET_DRILL when one fails. */
async function operate(
  { cluster }: Scene,
  commands: readonly (readonly string[])[],
  victims: readonly string[],
): Promise<Done> {
  for (const command of commands) await cluster.command(command);
  return { victims, gone: [], outage: null, signalAt: null, otherKills: 0 };
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
