import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** Bytes of a nonce: drawn anew for each greeting, so that a proof heard once is worth nothing later. */
const nonceBytes = 16;

/** Who says it: one end's proof must not do for the other's. */
export type ProvingEnd = 'supervisor' | 'process';

/** What both ends have said in this greeting. */
export interface Greeting {
  /** `keeper n2.3`: who greets. */
  readonly who: string;
  /** Of the greeting process. */
  readonly nonce: Uint8Array;
  /** Of the supervisor, in its answer. */
  readonly challenge: Uint8Array;
}

/** A fresh nonce. */
export const drawNonce = (): Uint8Array => new Uint8Array(randomBytes(nonceBytes));

/** Proves knowledge of the key without giving it away: HMAC-SHA-256 over what this greeting alone has said. */
export function prove(key: Uint8Array, end: ProvingEnd, { who, nonce, challenge }: Greeting): Uint8Array {
  const mac = createHmac('sha256', key);
  // Lengths first: no two greetings are the same bytes in a row.
  for (const part of [Buffer.from(`limpet greeting 1 ${end}`), Buffer.from(who), nonce, challenge]) {
    mac.update(`${part.length} `).update(part);
  }
  return new Uint8Array(mac.digest());
}

/** Whether `proof` is that of the far end, compared in constant time. */
export function isProof(key: Uint8Array, end: ProvingEnd, greeting: Greeting, proof: Uint8Array): boolean {
  const expected = prove(key, end, greeting);
  return proof instanceof Uint8Array && proof.length === expected.length && timingSafeEqual(proof, expected);
}

/** A supervisor's answer to a greeting, as far as the proof is concerned. */
export interface Challenge {
  readonly nonce: Uint8Array;
  readonly proof: Uint8Array;
}

/**
 * The greeting process's half. Until the far end has proven itself nothing it says is to be believed; a process that
 * has no keys yet (it has just been started) believes whoever listens in the private folder.
 */
export class Prover {
  readonly #who: string;
  readonly #key: () => Uint8Array | null;
  #nonce: Uint8Array | null = null;
  #isProven = false;

  /** `who`: as `whoOf` spells it. */
  constructor(who: string, key: () => Uint8Array | null) {
    this.#who = who;
    this.#key = key;
  }

  /** Whether what comes on the present connection is the supervisor's word. */
  get isProven(): boolean {
    return this.#isProven;
  }

  /** A new connection: the nonce for its greeting, null while there are no keys. */
  begin(): Uint8Array | null {
    this.#nonce = this.#key() === null ? null : drawNonce();
    this.#isProven = this.#nonce === null;
    return this.#nonce;
  }

  /** This end's proof, null when the far end has other keys. */
  answer(challenge: Challenge): Uint8Array | null {
    const key = this.#key();
    const nonce = this.#nonce;
    if (key === null || nonce === null) return null;
    const greeting: Greeting = { who: this.#who, nonce, challenge: challenge.nonce };
    this.#isProven = isProof(key, 'supervisor', greeting, challenge.proof);
    return this.#isProven ? prove(key, 'process', greeting) : null;
  }
}

/** `keeper n2.3`: a greeting's `who`. */
export const whoOf = (from: { readonly role: string; readonly name: string; readonly incarnation: number }): string =>
  `${from.role} ${from.name}.${from.incarnation}`;

/** The supervisor's half, for one greeting. */
export class Verifier {
  readonly #key: Uint8Array;
  #greeting: Greeting | null = null;

  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** The answer to a greeting with a nonce. */
  challenge(from: Parameters<typeof whoOf>[0], nonce: Uint8Array): Challenge {
    this.#greeting = { who: whoOf(from), nonce, challenge: drawNonce() };
    return { nonce: this.#greeting.challenge, proof: prove(this.#key, 'supervisor', this.#greeting) };
  }

  /** Whether the process has answered with the proof; each challenge is good for one answer. */
  accepts(proof: Uint8Array | null): boolean {
    const greeting = this.#greeting;
    this.#greeting = null;
    return greeting !== null && proof !== null && isProof(this.#key, 'process', greeting, proof);
  }
}
