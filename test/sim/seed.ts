import { assign, formatAddress, type SessionId, type View, type WorkingRecord } from '@limpet/core';
import { Tab } from './client.ts';
import { Dice } from './dice.ts';
import { Faults } from './faults.ts';
import { enterWorld, epochMs } from './host.ts';
import { drawSettings, type Settings } from './settings.ts';
import { World } from './world.ts';

export interface Result {
  readonly seed: number;
  readonly settings: Settings;
  readonly failure: string | null;
  readonly counts: Readonly<Record<string, number>>;
  readonly coverage: ReadonlyMap<string, number>;
  readonly views: readonly string[];
  readonly last: readonly string[];
  /** The whole log, when it was asked for. */
  readonly log: readonly string[];
}

/** Longest virtual time in which a cluster left alone comes to rest. */
const restMs = 60_000;

/** One seed, from start to rest. */
export async function playSeed(seed: number, ticks: number, keepsLog = false): Promise<Result> {
  const settings = drawSettings(seed, ticks, new Dice(seed, 0));
  const world = new World(settings, keepsLog);
  world.log.line('seed', JSON.stringify(settings));
  try {
    await play(world);
  } catch (error) {
    world.crashed(error);
  }
  enterWorld(null);
  const { failure, counts, coverage, log } = world;
  counts['events'] = world.scheduler.count;
  counts['virtual ms'] = Math.round(world.scheduler.nowMs);
  counts['lost sessions'] = world.history.lostSessions;
  const { views, last } = log;
  return { seed, settings, failure, counts, coverage: coverage.table, views, last, log: keepsLog ? log.all : [] };
}

async function play(world: World): Promise<void> {
  const { scheduler, settings } = world;
  const failed = () => world.failure !== null;
  world.start();
  if (!(await scheduler.run(10_000, () => failed() || isWhole(world)))) world.fail('invariant 22: it does not start');
  if (failed()) return;
  const startMs = scheduler.nowMs;
  const tabs: Tab[] = [];
  for (let user = 1; user <= settings.users; user += 1) {
    for (let tab = 0; tab < settings.tabs; tab += 1) {
      tabs.push(new Tab(world, user, tab, new Dice(settings.seed, 100 + 10 * user + tab)));
    }
  }
  const faults = new Faults(world, new Dice(settings.seed, 5));
  await scheduler.run(startMs + settings.ticks, failed);
  if (failed()) return;
  faults.heal();
  world.log.line('faults', 'over');
  for (const tab of tabs) tab.isOver = true;
  const isQuiet = () => failed() || (tabs.every((tab) => tab.busySinceMs === null) && isWhole(world));
  const isAtRest = await scheduler.run(scheduler.nowMs + restMs, isQuiet);
  if (failed()) return;
  if (!isAtRest) {
    const busy = tabs.filter((tab) => tab.busySinceMs !== null).map(({ name }) => name);
    for (const worker of world.living) world.log.line(worker.address, worker.describe());
    world.fail(`invariant ${busy.length > 0 ? 22 : 9}: it does not come to rest; under way: ${busy.join(' ')}`);
    return;
  }
  // Confirmations, and what they let go, are on their way.
  await scheduler.run(scheduler.nowMs + 12_000, failed);
  if (!failed()) checkRest(world);
  if (!failed()) await visitAll(world, tabs);
}

/** 22: a cluster at rest answers everyone. */
async function visitAll(world: World, tabs: readonly Tab[]): Promise<void> {
  const { scheduler, settings } = world;
  for (const [kind, method] of [['append', 'POST'] as const, ['read', 'GET'] as const]) {
    const askOf = ({ name }: Tab) => ({ kind, tag: `${name}:${kind}`, method, declared: false, workMs: 0 });
    const visitors = tabs.filter((tab) => !tab.mayBeRefused(askOf(tab)));
    for (const tab of visitors) tab.ask(askOf(tab));
    const isOver = () => visitors.every((tab) => tab.busySinceMs === null);
    await scheduler.run(scheduler.nowMs + 2 * settings.deadlineMs, isOver);
    for (const { name, busySinceMs, outcome } of visitors) {
      if (busySinceMs === null && outcome?.kind === 'answered') continue;
      world.fail(`invariant 22: at rest ${name}'s ${kind} ${busySinceMs === null ? 'is refused' : 'is not answered'}`);
    }
  }
}

/** Every wanted node is in the ring, every session has its copies, nothing is on its way. */
function isWhole(world: World): boolean {
  const { supervisor, wanted } = world;
  const view = supervisor?.view ?? null;
  return (
    view !== null &&
    view.next === null &&
    view.leaving.length === 0 &&
    supervisor?.settled?.whole === true &&
    wanted.every((node) => view.ring.includes(node))
  );
}

/** 9 and 13: exactly the write set holds each session, byte for byte the same. */
function checkRest(world: World): void {
  const view = world.supervisor?.view ?? null;
  if (view === null || view.next !== null) {
    world.fail('invariant 9: there is a next ring at rest');
    return;
  }
  const members = Object.values(view.members).map((member) => world.workers.get(formatAddress(member)));
  for (const id of world.watch.sessions) checkCopies(world, view, id, members);
  for (const { address, engine, keeper } of world.living) {
    world.watch.forgotten(address, engine.kept);
    world.watch.forgotten(`${address}k`, keeper.machine.kept);
  }
}

function checkCopies(
  world: World,
  view: View,
  id: SessionId,
  members: readonly World['living'][number][] | readonly (World['living'][number] | undefined)[],
): void {
  const { primary, writeSet } = assign(world.rank, view, id);
  let first: WorkingRecord | null = null;
  for (const worker of members) {
    if (worker === undefined) continue;
    const asPrimary = worker.engine.record(id);
    const asCopy = worker.keeper.machine.held(id);
    const held = worker.node === primary ? asPrimary : asCopy;
    if (worker.node !== primary && asPrimary !== null)
      world.fail(`invariant 13: ${worker.address} still is primary of ${id}`);
    if (worker.node === primary) first = asPrimary;
    const isKept = held !== null && !isForgotten(held, world.scheduler.nowMs + epochMs);
    if (isKept && !writeSet.includes(worker.node)) world.fail(`invariant 13: ${worker.address} still holds ${id}`);
  }
  for (const worker of members) {
    if (worker === undefined || worker.node === primary || !writeSet.includes(worker.node)) continue;
    const copy = worker.keeper.machine.held(id);
    // Above the bound on tombstones each side forgets its oldest by itself.
    if (copy === null && first?.deleted && world.settings.isTight) continue;
    const difference = differ(first, copy, world.scheduler.nowMs + epochMs);
    if (difference !== null) world.fail(`invariant 9: ${worker.address} has another copy of ${id}: ${difference}`);
  }
}

function differ(a: WorkingRecord | null, b: WorkingRecord | null, nowMs: number): string | null {
  if (a === null && b !== null && isForgotten(b, nowMs)) return null;
  if (a === null || b === null) return a === b ? null : a === null ? 'the primary has none' : 'it has none';
  if (a.mark.version !== b.mark.version) return `version ${b.mark.version}, not ${a.mark.version}`;
  if (a.deleted !== b.deleted) return b.deleted ? 'a tombstone' : 'no tombstone';
  if (a.attributes.size !== b.attributes.size) return 'other attributes';
  for (const [name, value] of a.attributes) {
    if (Buffer.compare(value, b.attributes.get(name) ?? new Uint8Array()) !== 0) return `attribute ${name}`;
  }
  const requests = (record: WorkingRecord) => [...record.log.keys()].sort().join(' ');
  return requests(a) === requests(b) ? null : `another request log: ${requests(a)} | ${requests(b)}`;
}

/** A session that is over is forgotten by its primary at once, by its copies in their time. */
const isForgotten = ({ deleted, expiresAt }: WorkingRecord, nowMs: number): boolean => deleted || expiresAt < nowMs;
