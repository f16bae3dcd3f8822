import { join } from 'node:path';
import { firstViewWaitMs, type NodeId, type RestoreReport, type View } from '@limpet/core';
import type { Control } from './control.ts';
import type { ClusterEvent } from './events.ts';
import { removeSavedFiles, type SavedFiles, setAside } from './saved-files.ts';

/** A member that takes longer to read the files is hung: it is killed, and the load begins anew. */
const loadMsMax = 60_000;

export interface Entrant {
  readonly node: NodeId;
  readonly incarnation: number;
}

export interface RestoreParts {
  readonly files: SavedFiles;
  readonly folder: string;
  readonly wanted: readonly NodeId[];
  readonly copies: number;
  readonly keyId: number;
  readonly control: Pick<Control, 'of'>;
  readonly emit: (event: ClusterEvent) => void;
  /** These are the first members, whoever is missing. */
  readonly start: (nodes: readonly Entrant[]) => void;
  readonly join: (entrant: Entrant) => void;
  readonly kill: (entrant: Entrant) => void;
}

interface Load {
  readonly sequence: number;
  readonly beganAt: number;
  readonly entrants: readonly Entrant[];
  readonly reports: Map<NodeId, RestoreReport>;
  readonly timer: NodeJS.Timeout;
}

/**
 * Stands between workers that are ready and the first view: with sessions saved at the last full stop, each keeper first
 * takes in its part of them. A worker that dies meanwhile makes the load begin anew with those that are ready then, and
 * until the first view is on disk the files stay, so that no crash in between loses anything.
 */
export class Restore {
  readonly #parts: RestoreParts;
  readonly #ready = new Map<NodeId, Entrant>();
  readonly #givenUp = new Set<NodeId>();
  #phase: 'waiting' | 'loading' | 'loaded';
  #load: Load | null = null;
  #loads = 0;
  #late: NodeJS.Timeout | null = null;

  constructor(parts: RestoreParts) {
    this.#parts = parts;
    this.#phase = parts.files.paths.length === 0 ? 'loaded' : 'waiting';
  }

  ready(entrant: Entrant): void {
    if (this.#phase === 'loaded') {
      this.#parts.join(entrant);
      return;
    }
    this.#ready.set(entrant.node, entrant);
    this.#givenUp.delete(entrant.node);
    // Not for ever: whoever comes later joins.
    this.#late ??= setTimeout(() => this.#begin(), firstViewWaitMs);
    this.#beginWhenAll();
  }

  givenUp(node: NodeId): void {
    this.#givenUp.add(node);
    this.#beginWhenAll();
  }

  died({ node, incarnation }: Entrant): void {
    if (this.#ready.get(node)?.incarnation === incarnation) this.#ready.delete(node);
    const isLoader = this.#load?.entrants.some((other) => other.node === node && other.incarnation === incarnation);
    if (isLoader !== true) return;
    this.#cancel();
    this.#beginWhenAll();
  }

  restored({ node, incarnation }: Entrant, sequence: number, report: RestoreReport): void {
    const load = this.#load;
    if (load === null || load.sequence !== sequence) return;
    if (!load.entrants.some((other) => other.node === node && other.incarnation === incarnation)) return;
    load.reports.set(node, report);
    if (load.reports.size === load.entrants.length) this.#finish(load);
  }

  /** The first view is on disk: the files are old from here on. */
  published(): void {
    if (this.#loads > 0) removeSavedFiles(this.#parts.files.paths);
  }

  close(): void {
    if (this.#late !== null) clearTimeout(this.#late);
    if (this.#load !== null) clearTimeout(this.#load.timer);
    this.#load = null;
    this.#phase = 'loaded';
  }

  #beginWhenAll(): void {
    const { wanted } = this.#parts;
    if (wanted.every((node) => this.#ready.has(node) || this.#givenUp.has(node))) this.#begin();
  }

  #begin(): void {
    if (this.#phase !== 'waiting' || this.#ready.size === 0) return;
    this.#phase = 'loading';
    this.#loads += 1;
    const entrants = [...this.#ready.values()];
    const sequence = this.#loads;
    const timer = setTimeout(() => this.#tooSlow(), loadMsMax);
    this.#load = { sequence, beganAt: performance.now(), entrants, reports: new Map(), timer };
    const files = this.#parts.files.paths;
    for (const { node, incarnation } of entrants) {
      for (const peer of this.#parts.control.of('keeper', node)) {
        if (peer.incarnation === incarnation)
          peer.send({ kind: 'restore', sequence, files, view: this.#view(entrants) });
      }
    }
  }

  /** The first view as it will be, but for its number: who is in it is all that counts here. */
  #view(entrants: readonly Entrant[]): View {
    const { copies, keyId } = this.#parts;
    const members = Object.fromEntries(
      entrants.map(({ node, incarnation }) => [node, { id: node, incarnation, weight: 1 }]),
    );
    const ring = entrants.map(({ node }) => node);
    return { term: 0, number: 0, ring, next: null, leaving: [], members, copies, keyId, hashVersion: 1 };
  }

  #tooSlow(): void {
    const load = this.#load;
    if (load === null) return;
    for (const entrant of load.entrants) if (!load.reports.has(entrant.node)) this.#parts.kill(entrant);
  }

  #cancel(): void {
    if (this.#load !== null) clearTimeout(this.#load.timer);
    this.#load = null;
    this.#phase = 'waiting';
    if (this.#late !== null) clearTimeout(this.#late);
    this.#late = setTimeout(() => this.#begin(), firstViewWaitMs);
  }

  #finish({ timer, beganAt, entrants, reports }: Load): void {
    clearTimeout(timer);
    if (this.#late !== null) clearTimeout(this.#late);
    this.#load = null;
    this.#phase = 'loaded';
    const all = [...reports.values()];
    const isDamaged = this.#tellDamage(all);
    const sum = (figure: 'sessions' | 'expired' | 'unverified'): number =>
      all.reduce((total, report) => total + report[figure], 0);
    const [sessions, expired, unverified] = [sum('sessions'), sum('expired'), sum('unverified')];
    const missing = isDamaged ? Math.max(0, this.#parts.files.sessions - sessions - expired - unverified) : 0;
    const ms = Math.round(performance.now() - beganAt);
    this.#parts.emit({ kind: 'sessions-loaded', sessions, expired, unverified, missing, ms });
    const present = entrants.filter(({ node, incarnation }) => this.#ready.get(node)?.incarnation === incarnation);
    const late = [...this.#ready.values()].filter((entrant) => !entrants.includes(entrant));
    this.#ready.clear();
    this.#parts.start(present);
    for (const entrant of late) this.#parts.join(entrant);
  }

  /** Every keeper reads every file, so each finds the same. */
  #tellDamage(reports: readonly RestoreReport[]): boolean {
    const found = new Map(reports.flatMap(({ damaged }) => damaged.map((one) => [one.file, one])));
    for (const { file, why } of found.values()) {
      const path = join(this.#parts.folder, file);
      this.#parts.emit({ kind: 'sessions-set-aside', ...setAside(path, 'damaged', why, null) });
    }
    return found.size > 0 || this.#parts.files.aside.length > 0;
  }
}
