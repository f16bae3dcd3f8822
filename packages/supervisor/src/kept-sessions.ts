import type { NodeId, Side } from '@limpet/core';
import type { Control, Report } from './control.ts';
import type { ClusterEvent } from './events.ts';
import { type Entrant, Restore } from './restore.ts';
import type { RunDirectory } from './run-directory.ts';
import { Save } from './save.ts';
import type { SavedFiles } from './saved-files.ts';
import type { Slot } from './slot.ts';
import { total } from './stats.ts';

export interface KeptSessionsParts {
  /** False: nothing is saved, and what an earlier stop has saved stays where it is. */
  readonly isOn: boolean;
  readonly run: RunDirectory;
  /** What the last full stop has left to be loaded. */
  readonly files: SavedFiles;
  readonly wanted: readonly NodeId[];
  readonly copies: number;
  readonly keyId: number;
  readonly control: Pick<Control, 'of'>;
  readonly emit: (event: ClusterEvent) => void;
  /** These are the first members, whoever is missing: they have taken in the saved sessions. */
  readonly start: (nodes: readonly Entrant[]) => void;
  readonly join: (node: Entrant) => void;
  readonly kill: (node: Entrant) => void;
}

/** Sessions over a full stop: loaded before the first view, saved once the balancers have ended. */
export class KeptSessions {
  readonly #parts: KeptSessionsParts;
  readonly #files: SavedFiles;
  readonly #restore: Restore;
  readonly #save: Save;
  #serves = false;
  #isLeft = false;
  /** Sessions there were when the cluster was ended at once; null: it was not. */
  #cutOff: number | null = null;

  constructor(parts: KeptSessionsParts) {
    this.#parts = parts;
    const { run, files, control, copies } = parts;
    this.#files = files;
    this.#restore = new Restore({ ...parts, folder: run.saved });
    this.#save = new Save(control, copies);
  }

  /** Where the workers save to; null: nowhere. */
  get folder(): string | null {
    return this.#parts.isOn ? this.#parts.run.saved : null;
  }

  /** Says what was found. */
  begin(): void {
    for (const file of this.#files.aside) this.#parts.emit({ kind: 'sessions-set-aside', ...file });
    if (!this.#files.isUnsure) return;
    const message = `there are saved sessions in ${this.#parts.run.saved} and no readable view file: whether they are the last state cannot be told`;
    this.#parts.emit({ kind: 'warning', message });
  }

  ready(entrant: Entrant): void {
    this.#restore.ready(entrant);
  }

  givenUp(node: NodeId): void {
    this.#restore.givenUp(node);
  }

  died(entrant: Entrant): void {
    this.#restore.died(entrant);
    this.#save.died(entrant.node, entrant.incarnation);
  }

  /** The first view cannot be written, and so the start fails: the files are good for the next one. */
  leave(): void {
    this.#isLeft = true;
  }

  /** A view is on disk. */
  published(): void {
    if (this.#isLeft) return;
    if (!this.#serves) this.#restore.published();
    this.#serves = true;
  }

  message(entrant: Entrant, side: Side, message: Report & { readonly kind: 'saved' | 'restored' }): void {
    if (message.kind === 'saved') this.#save.saved(entrant.node, entrant.incarnation, side, message.report);
    else if (side === 'keeper') this.#restore.restored(entrant, message.sequence, message.report);
  }

  /** Nobody asks any more, and all workers still run. Does nothing before the first view: then the files are as they were. */
  async save(slots: readonly Slot[]): Promise<void> {
    this.#restore.close();
    if (!this.#parts.isOn || !this.#serves) return;
    const atOnce = { sessions: 0, unsaved: this.#cutOff ?? 0, why: 'it was ended at once', ms: 0 };
    const outcome = this.#cutOff === null ? await this.#save.run(slots) : atOnce;
    if (outcome.sessions + outcome.unsaved > 0) this.#parts.emit({ kind: 'sessions-saved', ...outcome });
  }

  /** The cluster is ended at once: what is not saved yet is not saved any more. */
  abort(slots: readonly Slot[]): void {
    this.#restore.close();
    this.#cutOff ??= slots.reduce((sum, { life }) => sum + total(life?.stats ?? {}, 'primary'), 0);
    this.#save.abort();
  }
}
