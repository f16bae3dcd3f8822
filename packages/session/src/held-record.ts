import type { Mark, SessionId, WorkingRecord } from '@limpet/core';
import type { Held } from './engine.ts';

/** A working record as the session layer sees it. One object per record, shared by all requests on it. */
export class HeldRecord implements Held {
  readonly record: WorkingRecord;
  live: unknown = null;

  constructor(record: WorkingRecord) {
    this.record = record;
  }

  get id(): SessionId {
    return this.record.id;
  }
  get mark(): Mark {
    return this.record.mark;
  }
  get attributes(): WorkingRecord['attributes'] {
    return this.record.attributes;
  }
  get deleted(): boolean {
    return this.record.deleted;
  }
  get createdAt(): number {
    return this.record.createdAt;
  }
  get expiresAt(): number {
    return this.record.expiresAt;
  }
}
