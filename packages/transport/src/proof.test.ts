import { describe, expect, test } from 'vitest';
import { drawNonce, type Greeting, isProof, Prover, prove, Verifier, whoOf } from './proof.ts';

const key = new Uint8Array(16).fill(7);
const greeting: Greeting = { who: 'app n1.1', nonce: drawNonce(), challenge: drawNonce() };

describe('proof of the cluster key', () => {
  test('the same key and greeting: accepted', () => {
    expect(isProof(key, 'process', greeting, prove(key, 'process', greeting))).toBe(true);
    expect(isProof(key, 'supervisor', greeting, prove(key, 'supervisor', greeting))).toBe(true);
  });

  test("another key, the other end's proof, another name, a proof of an earlier greeting: refused", () => {
    const other = new Uint8Array(16).fill(8);
    expect(isProof(key, 'process', greeting, prove(other, 'process', greeting))).toBe(false);
    expect(isProof(key, 'process', greeting, prove(key, 'supervisor', greeting))).toBe(false);
    expect(isProof(key, 'process', greeting, prove(key, 'process', { ...greeting, who: 'app n1.2' }))).toBe(false);
    expect(isProof(key, 'process', greeting, prove(key, 'process', { ...greeting, challenge: drawNonce() }))).toBe(
      false,
    );
  });

  test('something that is no proof at all: refused', () => {
    expect(isProof(key, 'process', greeting, new Uint8Array(0))).toBe(false);
    expect(isProof(key, 'process', greeting, undefined as unknown as Uint8Array)).toBe(false);
  });
});

describe('the greeting process', () => {
  const me = { role: 'app', name: 'n1', incarnation: 1 };
  const who = whoOf(me);
  const challengeBy = (supervisorKey: Uint8Array, nonce: Uint8Array | null) => {
    const verifier = new Verifier(supervisorKey);
    return { verifier, message: verifier.challenge(me, nonce ?? new Uint8Array(0)) };
  };

  test('the supervisor has the same keys: believed, and answered with a proof', () => {
    const prover = new Prover(who, () => key);
    const { verifier, message } = challengeBy(key, prover.begin());
    expect(prover.isProven).toBe(false);
    const proof = prover.answer(message);
    expect(prover.isProven).toBe(true);
    expect(verifier.accepts(proof)).toBe(true);
    expect(verifier.accepts(proof)).toBe(false);
  });

  test('it has others: not believed, no proof given; nor on the next connection before its challenge', () => {
    const prover = new Prover(who, () => key);
    const { message } = challengeBy(new Uint8Array(16), prover.begin());
    expect(prover.answer(message)).toBeNull();
    expect(prover.isProven).toBe(false);
    expect(new Verifier(key).accepts(null)).toBe(false);
    prover.answer(challengeBy(key, prover.begin()).message);
    prover.begin();
    expect(prover.isProven).toBe(false);
  });

  test('no keys yet: believes, and has nothing to prove', () => {
    const prover = new Prover(who, () => null);
    expect(prover.begin()).toBeNull();
    expect(prover.isProven).toBe(true);
    expect(prover.answer(challengeBy(key, null).message)).toBeNull();
  });
});
