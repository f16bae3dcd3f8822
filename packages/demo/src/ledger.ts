import { lstat, mkdir, mkdtemp, readFile, rename, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { formatLedger, generateLedger, parseLedger, seedOf } from './ledger-lines.ts';
import { type Summary, summarise } from './summary.ts';

/** Stands in for a slow database; said on the pages. */
export const ledgerDelayMs = 250;
/** Bounds the files: any name may sign in, and each ledger is about 120 KB. Names share ledgers beyond that. */
const ledgersMax = 100;

/** The backend: slow to ask, the same on every node. */
export interface Ledger {
  /** Reads the account's ledger file and adds it up; takes at least `ledgerDelayMs`. */
  summary(account: string): Promise<Summary>;
}

/**
 * A folder of this user's own. The name in the shared temporary directory can be guessed, so somebody else may have put
 * a folder or a link there first: then a fresh private one is used.
 */
async function privateFolder(): Promise<string> {
  const { uid } = userInfo();
  const folder = join(tmpdir(), `limpet-demo-${uid}`);
  await mkdir(folder, { mode: 0o700 }).catch(() => undefined);
  const found = await lstat(folder).catch(() => null);
  const ours = found?.isDirectory() && (uid < 0 || (found.uid === uid && (found.mode & 0o077) === 0));
  return ours ? folder : mkdtemp(join(tmpdir(), 'limpet-demo-'));
}

/** Keeps ledger files in `folder` (a private temporary one when null) and writes each when it is first asked for. */
export function openLedger(folder: string | null = null): Ledger {
  let place: Promise<string> | null = null;

  async function textOf(seed: number): Promise<string> {
    place ??= folder === null ? privateFolder() : Promise.resolve(folder);
    const file = join(await place, `ledger-${seed}.csv`);
    const found = await readFile(file, 'utf8').catch(() => null);
    if (found !== null) return found;
    const text = formatLedger(generateLedger(seed));
    // Written aside and renamed: another node that reads at the same moment sees a whole file or none.
    const draft = `${file}.${process.pid}.${process.hrtime.bigint()}`;
    await writeFile(draft, text, { mode: 0o600 });
    await rename(draft, file);
    return text;
  }

  return {
    async summary(account) {
      await delay(ledgerDelayMs);
      return summarise(parseLedger(await textOf(seedOf(account) % ledgersMax)));
    },
  };
}
