import { createHash, hkdfSync, randomBytes } from 'node:crypto';
import { closeSync, existsSync, fstatSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { LimpetError } from '@limpet/core';

const secretCharactersMin = 16;
const secretsMax = 16;

/** The cluster's keys. They leave this process over the control socket only: never argv, environment, view or log. */
export interface Keys {
  /** 16 bytes each, one per secret: the first signs session ids, all verify. */
  readonly macKeys: readonly Uint8Array[];
  /** 16 bytes, from the oldest secret: a new first line logs nobody out and moves nobody. */
  readonly rankKey: Uint8Array;
  /** Names the rank key in views without giving it away. */
  readonly keyId: number;
  /** 16 bytes, from the oldest secret: supervisors and processes of one cluster prove themselves with it (P17). */
  readonly proofKey: Uint8Array;
}

/** Keys derived from secrets, newest first. */
export function deriveKeys(secrets: readonly string[]): Keys {
  const derive = (secret: string, purpose: string) =>
    new Uint8Array(hkdfSync('sha256', secret, '', `limpet ${purpose} 1`, 16));
  const oldest = secrets.at(-1) ?? '';
  const rankKey = derive(oldest, 'rank');
  const keyId = createHash('sha256').update('limpet key id 1').update(rankKey).digest().readUInt32BE(0);
  return { macKeys: secrets.map((secret) => derive(secret, 'mac')), rankKey, keyId, proofKey: derive(oldest, 'proof') };
}

/** The keys of `secretFile`, else of `ownFile`, which is made with a fresh secret when it is missing. */
export function loadKeys(secretFile: string | null, ownFile: string): Keys {
  if (secretFile === null && !existsSync(ownFile)) writeNewSecret(ownFile);
  return deriveKeys(readSecrets(secretFile ?? ownFile));
}

function writeNewSecret(path: string): void {
  const fd = openSync(path, 'wx', 0o600);
  writeSync(fd, `${randomBytes(32).toString('base64url')}\n`);
  fsyncSync(fd);
  closeSync(fd);
}

function readSecrets(path: string): readonly string[] {
  const refuse = (why: string) => new LimpetError('LIMPET_SECRET_FILE', { file: path, why });
  const text = readPrivately(path, refuse);
  const lines = text.split(/\r?\n/).filter((line) => line !== '');
  if (lines.length === 0) throw refuse('it is empty; put one secret on each line, the newest first');
  if (lines.length > secretsMax) throw refuse(`it has ${lines.length} lines, at most ${secretsMax} are used`);
  for (const [index, line] of lines.entries()) {
    const place = `line ${index + 1}`;
    if (line.startsWith('#')) throw refuse(`${place} looks like a comment; every line is a secret`);
    if (line.trim() !== line) throw refuse(`${place} begins or ends with a space`);
    if (line.length < secretCharactersMin) throw refuse(`${place} has fewer than ${secretCharactersMin} characters`);
  }
  if (new Set(lines).size !== lines.length) throw refuse('it holds the same secret twice');
  return lines;
}

/** Looks at the opened file, not at the name: nobody can put another in its place in between. */
function readPrivately(path: string, refuse: (why: string) => LimpetError): string {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    throw refuse((error as NodeJS.ErrnoException).code === 'ENOENT' ? 'it does not exist' : 'it cannot be read');
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw refuse('it is not a file');
    if (process.getuid !== undefined && stat.uid !== process.getuid()) throw refuse('it belongs to another user');
    if ((stat.mode & 0o077) !== 0) throw refuse(`other users can read it; run: chmod 600 ${path}`);
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}
