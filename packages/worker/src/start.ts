import { formatAddress, LimpetError, numberOf, parseReplayables, saveMsMax } from '@limpet/core';
import { contract, loadedFrom, type Runtime, runtimeSymbol, version } from '@limpet/session';
import { Admission } from './admission.ts';
import { DoorPath } from './app-door.ts';
import type { Front } from './app-server.ts';
import { type Control, connectControl } from './control.ts';
import { leaveDeathNote } from './death-note.ts';
import { DrillDoor } from './drill-door.ts';
import { createEngine, type EngineSeat } from './engine.ts';
import { patchListen } from './listen-patch.ts';
import { startPace } from './pace.ts';
import { Placement } from './placement.ts';
import type { Run } from './run.ts';
import { Running } from './running.ts';
import { Stopper } from './stop.ts';
import { ViewFeed } from './view-feed.ts';
import { WebSockets } from './websockets.ts';

/** The supervisor listens before it starts anyone: an answer that takes longer will not come. */
const welcomeMs = 10_000;
/** What running requests get when a worker without a supervisor is told to stop. */
const orphanGraceMs = 10_000;
/** How long a save waits for requests that still run. */
const saveIdleMs = 1_000;
/** How often the supervisor is told what goes on here. */
const statsEveryMs = 500;
/** The same while members join or leave: whoever waits for that sees how far it is. */
const movingStatsMs = 100;
/** How long the app may go on opening servers before the first one is taken for the app's. */
const graceMs = 300;

/** Makes a worker of this process. Resolves when the app may run; ends the process when there is no supervisor. */
export async function startWorker(run: Run): Promise<void> {
  // The supervisor follows files, but an operator may have given pipes: a reader that is gone must not end the worker.
  process.stdout.on('error', () => {});
  process.stderr.on('error', () => {});
  refuseSecondCopy();
  const views = new ViewFeed();
  const running = new Running();
  const webSockets = new WebSockets();
  const door = new DoorPath(run);
  const stopper = new Stopper(door, running, webSockets);
  leaveDeathNote(
    run,
    () => running.list(),
    () => stopper.stopping,
  );
  const orphaned = (): void => void stopper.stopAlone(orphanGraceMs);
  const control = await connectControl(run, views, { version, welcomeMs, orphaned }).catch(endWithout);
  const { welcome } = control;
  const seat = await createEngine(welcome, { ...run, version }, views, control);
  const { node, incarnation } = run;
  const { deadlineMs, cookieName, headerName, secureCookie } = welcome;
  const admission = new Admission({
    node,
    incarnation,
    views,
    engine: seat.engine,
    rank: seat.rank,
    running,
    replayable: parseReplayables(welcome.replayable ?? []),
    deadlineMs,
    pace: startPace(),
    webSockets,
  });
  const placement = new Placement(views, seat.rank, (req) => admission.contextOf(req));
  const runtime: Runtime = {
    contract,
    version,
    path: loadedFrom,
    node,
    engine: seat.engine,
    cookieName,
    headerName,
    secureCookie,
    contextOf: (req) => admission.contextOf(req),
    placement: (req) => placement.of(req),
    diedAgoMs: (node) => placement.diedAgoMs(node),
  };
  Object.defineProperty(globalThis, runtimeSymbol, { value: runtime });
  stopper.watch(
    admission,
    () => control.connected,
    orphanGraceMs,
    () => seat.saveAll(saveMsMax),
  );
  control.onMessage((message) => {
    if (message.kind === 'save') void save(message.limitMs, seat, running, control);
    if (message.kind === 'stop') void stopper.stop(message.graceMs, { spreadMs: message.spreadMs ?? 0 });
  });
  reportState(control, views, seat, running);
  const notes: string[] = [];
  let ready = false;
  const sendReady = (): void => void control.send({ kind: 'ready', notes });
  // Not heard between two supervisors: every one is told when it welcomes this worker. One that was told to end by a
  // former supervisor is ready for nothing: it must not join.
  control.onWelcome(() => {
    if (ready && !stopper.stopping) sendReady();
  });
  patchListen({
    door,
    front: frontOf(admission, welcome.drillDoor, formatAddress({ id: node, incarnation })),
    port: readPort(process.env.PORT),
    graceMs,
    note: (text) => {
      notes.push(text);
      // Into the node's own output, where the app says on which port it listens.
      process.stdout.write(`limpet: ${text}\n`);
    },
    chosen: (server) => {
      stopper.serves(server);
      if (!ready) sendReady();
      ready = true;
    },
    refused: ({ code, message }) => control.send({ kind: 'failed', code, message }),
  });
}

/** The drill's own operations stand before the app only where the supervisor has said so. */
const frontOf = (admission: Admission, token: string | undefined, address: string): Front =>
  token === undefined ? admission : new DrillDoor(admission, token, address);
/** Full stop: what still runs has nobody left to answer, and gets a moment to commit. */
async function save(limitMs: number, seat: EngineSeat, running: Running, control: Control): Promise<void> {
  const begin = performance.now();
  await running.idle(Math.min(saveIdleMs, limitMs / 2));
  const report = await seat.save(limitMs - (performance.now() - begin));
  control.send({ kind: 'saved', report });
}

function refuseSecondCopy(): void {
  const present: unknown = Reflect.get(globalThis, runtimeSymbol);
  if (present === undefined) return;
  throw new LimpetError('LIMPET_TWO_COPIES', { runtime: (present as Runtime).path, app: loadedFrom });
}

function endWithout(error: unknown): never {
  process.stderr.write(`${error instanceof LimpetError ? `${error.code}: ${error.message}` : String(error)}\n`);
  process.exit(1);
}

function readPort(text: string | undefined): number | null {
  const port = Number(text);
  return Number.isInteger(port) && port > 0 ? port : null;
}

function reportState(control: Control, views: ViewFeed, seat: EngineSeat, running: Running): void {
  let toldAt = 0;
  setInterval(() => {
    const { current } = views;
    const isMoving = current !== null && (current.next !== null || current.leaving.length > 0);
    if (!isMoving && performance.now() - toldAt < statsEveryMs) return;
    toldAt = performance.now();
    control.send({ kind: 'stats', view: current && numberOf(current), inFlight: running.size, ...seat.counts() });
  }, movingStatsMs).unref();
}
