import type { SessionId } from './ids.ts';
import { type SipKey, sipHash, sipKey } from './siphash.ts';
import { assert } from './unreachable.ts';

/*
 * 30 bytes: 1 version (high nibble) and arm (low nibble), 5 placement, 16 random, 8 MAC of the 22 bytes before it.
 * 40 base64url characters hold exactly 240 bits: no padding, no spare bits, so every id has one spelling and a string
 * comparison is an identity.
 */
export const sessionIdCharacters = 40;
export const placementBytes = 5;
export const randomBytes = 16;
export const armMax = 15;

const version = 1;
const placementAt = 1;
const randomAt = placementAt + placementBytes;
const macAt = randomAt + randomBytes;
const idBytes = macAt + 8;

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const notInAlphabet = 0xff;
const values = new Uint8Array(128).fill(notInAlphabet);
for (let value = 0; value < alphabet.length; value++) values[alphabet.charCodeAt(value)] = value;

/** The bytes being read: written and read within one synchronous call, so that a request allocates nothing for it. */
const scratch = new Uint8Array(idBytes);

/** Decodes the first `characters` (a multiple of 4) of `text` into `target`; false when one is not of the alphabet. */
function decode(text: string, characters: number, target: Uint8Array): boolean {
  let bad = 0;
  for (let at = 0, byte = 0; at < characters; at += 4, byte += 3) {
    // A character over 127 is outside of the table and reads as `notInAlphabet`.
    const a = values[text.charCodeAt(at)] ?? notInAlphabet;
    const b = values[text.charCodeAt(at + 1)] ?? notInAlphabet;
    const c = values[text.charCodeAt(at + 2)] ?? notInAlphabet;
    const d = values[text.charCodeAt(at + 3)] ?? notInAlphabet;
    bad |= (a | b | c | d) & 0xc0;
    const bits = (a << 18) | (b << 12) | (c << 6) | d;
    target[byte] = bits >>> 16;
    target[byte + 1] = bits >>> 8;
    target[byte + 2] = bits;
  }
  return bad === 0;
}

function encode(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const bits = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    text += alphabet.charAt(bits >>> 18) + alphabet.charAt((bits >>> 12) & 63);
    text += alphabet.charAt((bits >>> 6) & 63) + alphabet.charAt(bits & 63);
  }
  return text;
}

function putWord(target: Uint8Array, at: number, value: number): void {
  for (let byte = 0; byte < 4; byte++) target[at + byte] = value >>> (8 * byte);
}

/** The id made of these parts, signed. `random` must come from a cryptographic source: it is what makes an id secret. */
export function formatSessionId(
  parts: { readonly arm: number; readonly placement: Uint8Array; readonly random: Uint8Array },
  macKey: SipKey,
): SessionId {
  const { arm, placement, random } = parts;
  assert(Number.isInteger(arm) && arm >= 0 && arm <= armMax, `an arm is 0 … ${armMax}, not ${arm}`);
  assert(placement.length === placementBytes, `a placement has ${placementBytes} bytes, not ${placement.length}`);
  assert(random.length === randomBytes, `a session id has ${randomBytes} random bytes, not ${random.length}`);
  const bytes = new Uint8Array(idBytes);
  bytes[0] = (version << 4) | arm;
  bytes.set(placement, placementAt);
  bytes.set(random, randomAt);
  const mac = sipHash(macKey, bytes, macAt);
  putWord(bytes, macAt, mac.low);
  putWord(bytes, macAt + 4, mac.high);
  return encode(bytes) as SessionId;
}

/**
 * The id spelled by `text` when one of the keys signed it, else null; never throws. Costs about 0.5 µs per key for a
 * well-formed text and almost nothing for any other.
 */
export function parseSessionId(text: string, macKeys: readonly SipKey[]): SessionId | null {
  if (text.length !== sessionIdCharacters) return null;
  if (!decode(text, sessionIdCharacters, scratch)) return null;
  if ((scratch[0] ?? 0) >>> 4 !== version) return null;
  const low = macWord(macAt);
  const high = macWord(macAt + 4);
  let found = 0;
  for (const key of macKeys) {
    const mac = sipHash(key, scratch, macAt);
    // All 64 bits and all keys are compared whatever the outcome: an early end would tell a forger how far the MAC is
    // right, and which key signs.
    const difference = (mac.low ^ low) | (mac.high ^ high);
    found |= ~(difference | -difference) >>> 31;
  }
  return found === 1 ? (text as SessionId) : null;
}

const macWord = (at: number): number =>
  (scratch[at] ?? 0) | ((scratch[at + 1] ?? 0) << 8) | ((scratch[at + 2] ?? 0) << 16) | ((scratch[at + 3] ?? 0) << 24);

/** The 5 bytes that are ranked. Kept by `regenerate` and `renew`, so that a new id has the same home (P15). */
export function placementOf(id: SessionId): Uint8Array {
  const placement = new Uint8Array(placementBytes);
  readPlacement(id, placement);
  return placement;
}

/** The same into an array of 5 bytes that the caller keeps: ranking does it on every request. */
export function readPlacement(id: SessionId, target: Uint8Array): void {
  // Version and placement are the first 6 bytes: 8 whole characters.
  decode(id, 8, scratch);
  for (let at = 0; at < placementBytes; at++) target[at] = scratch[placementAt + at] ?? 0;
}

// A public constant: what hides the id is that 32 bits are left of 168 that are secret, not this key.
const shortKey = sipKey(new Uint8Array(16).fill(0x4c));

/** 8 hex digits that name a session in logs. They open nothing: 2¹³⁶ ids share each of them, and none can be made from it. */
export function shortHash(id: SessionId): string {
  const characters = new Uint8Array(id.length);
  for (let at = 0; at < id.length; at++) characters[at] = id.charCodeAt(at);
  return sipHash(shortKey, characters).high.toString(16).padStart(8, '0');
}
