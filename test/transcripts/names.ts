import {
  formatSessionId,
  type NodeId,
  parseNodeId,
  placementBytes,
  type RequestId,
  randomBytes,
  type SessionId,
  sipKey,
} from '@limpet/core';

/** Keys of every story's cluster: nothing in a transcript is secret. */
export const rankKey = new Uint8Array(16).fill(3);
export const macKey = sipKey(new Uint8Array(16).fill(4));

const drawsMax = 10_000;

/** What a script calls its sessions and requests, and the ids they have. All ids come from counters. */
export class Names {
  readonly #sessions = new Map<string, SessionId>();
  readonly #sessionNames = new Map<SessionId, string>();
  readonly #requests = new Map<RequestId, string>();
  #draws = 0;

  sessions(): ReadonlyMap<string, SessionId> {
    return this.#sessions;
  }

  session(name: string): SessionId {
    const id = this.#sessions.get(name);
    if (id === undefined) throw new Error(`there is no session ${name}`);
    return id;
  }

  nameOf(id: SessionId): string {
    return this.#sessionNames.get(id) ?? id;
  }

  /** Draws ids until `fits` says that one lives where the script wants it. */
  drawSession(name: string, fits: (id: SessionId) => boolean): SessionId {
    if (this.#sessions.has(name)) throw new Error(`there is a session ${name} already`);
    for (let left = drawsMax; left > 0; left -= 1) {
      this.#draws += 1;
      const placement = new Uint8Array(placementBytes);
      placement.set([this.#draws >> 8, this.#draws & 255]);
      const id = formatSessionId({ arm: 0, placement, random: new Uint8Array(randomBytes) }, macKey);
      if (!fits(id)) continue;
      this.#sessions.set(name, id);
      this.#sessionNames.set(id, name);
      return id;
    }
    throw new Error(`no id for ${name} lives there`);
  }

  newRequest(name: string): RequestId {
    const id = (this.#requests.size + 1).toString(16).padStart(32, '0') as RequestId;
    this.#requests.set(id, name);
    return id;
  }

  requestName(id: RequestId): string {
    return this.#requests.get(id) ?? 'nobody';
  }
}

export function nodeNamed(text: string): NodeId {
  const node = parseNodeId(text);
  if (node === null) throw new Error(`${text} is not a node`);
  return node;
}
