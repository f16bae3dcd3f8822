import { randomBytes as secureRandom } from 'node:crypto';
import {
  formatSessionId,
  randomBytes as idRandomBytes,
  internalHeaders,
  type NodeId,
  placementBytes,
  type SessionId,
} from '@limpet/core';
import type { Cluster } from './cluster.ts';
import type { Downstream } from './downstream.ts';
import { newRequestId } from './passage.ts';
import { type Relay, relay } from './relay.ts';
import type { RequestHead } from './request-head.ts';
import { emptyBody } from './upload.ts';

/** Placements drawn until one was the node's. */
const drawsMax = 100_000;

/**
 * Measures how soon users of `node` are served again: an internal request for a placement that was that node's, along
 * the same path as theirs. True when a worker answered it.
 */
export async function probe(shared: Relay, node: NodeId): Promise<boolean> {
  const { settings } = shared.cluster;
  const session = drawSession(shared.cluster, node);
  if (settings === null || session === null) return false;
  const head: RequestHead = {
    kind: 'head',
    method: 'GET',
    path: '/',
    host: 'localhost',
    lines: ['Host', 'localhost'],
    framing: { kind: 'none' },
    cookie: undefined,
    sessionHeader: undefined,
    accept: '',
    key: null,
    upgrade: null,
    isLast: false,
  };
  const extra = [internalHeaders.probe, '1'];
  const down = new Answered();
  await relay(
    shared,
    { id: newRequestId(), head, session, body: emptyBody, keyed: null, declared: false, replayable: true, extra },
    down,
    settings.deadlineMs,
  );
  return down.status === 204;
}

/** An id nobody has, whose home was the node in the last view that had it. */
function drawSession(cluster: Cluster, node: NodeId): SessionId | null {
  const view = cluster.lastRingOf(node);
  const key = cluster.settings?.macKeys[0];
  if (view === null || key === undefined) return null;
  for (let draw = 0; draw < drawsMax; draw++) {
    const placement = secureRandom(placementBytes);
    if (cluster.homeOf(placement, view) !== node) continue;
    return formatSessionId({ arm: 0, placement, random: secureRandom(idRandomBytes) }, key);
  }
  return null;
}

/** Keeps the status and drops the rest. */
class Answered implements Downstream {
  readonly isGone = false;
  onGone: (() => void) | null = null;
  onDrain: (() => void) | null = null;
  status = 0;

  interim(): void {}
  head(status: number): void {
    this.status = status;
  }
  flush(): void {}
  write(): boolean {
    return true;
  }
  end(): void {}
  cut(): void {
    this.status = 0;
  }
}
