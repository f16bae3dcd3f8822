import { createHash } from 'node:crypto';

/** One line of the ledger. */
export interface Entry {
  /** `2026-03-14`. */
  readonly day: string;
  readonly payee: string;
  readonly category: string;
  /** Negative when money leaves. */
  readonly cents: number;
}

export const ledgerLines = 3_000;
const months = 24;

const shops: readonly (readonly [payee: string, category: string, mostCents: number])[] = [
  ['Harbour Bakery', 'food', 1_400],
  ['Tideway Market', 'food', 6_200],
  ['Rockpool Café', 'eating out', 2_600],
  ['Lighthouse Noodles', 'eating out', 3_400],
  ['Coast Tram', 'transport', 900],
  ['Shoreline Rail', 'transport', 5_400],
  ['Kelp & Paper', 'household', 4_800],
  ['Anchor Pharmacy', 'health', 3_900],
  ['Saltmarsh Cinema', 'leisure', 3_200],
  ['Foghorn Records', 'leisure', 4_500],
];

/** Numbers in [0, 1) that are the same on every node for the same seed (mulberry32). Not for secrets. */
function numbersFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** The same 32 bits for the same account name on every node. */
export const seedOf = (account: string): number => createHash('sha256').update(account).digest().readUInt32BE(0);

const dayOf = (month: number, day: number): string =>
  `${2024 + Math.floor((month + 6) / 12)}-${String(((month + 6) % 12) + 1).padStart(2, '0')}-${String(day).padStart(2, '0')}`;

/** A few thousand transactions over two years, oldest first; a pure function of the seed. */
export function generateLedger(seed: number): readonly Entry[] {
  const next = numbersFrom(seed);
  const entries: Entry[] = [
    { day: '2024-07-01', payee: 'Opening balance', category: 'income', cents: 150_000 + Math.floor(next() * 350_000) },
  ];
  for (let month = 0; month < months; month += 1) {
    entries.push({ day: dayOf(month, 1), payee: 'Salary', category: 'income', cents: 380_000 });
    entries.push({ day: dayOf(month, 1), payee: 'Rent', category: 'home', cents: -95_000 });
    const until = 1 + Math.floor(((month + 1) * (ledgerLines - 1)) / months);
    for (let left = until - entries.length, made = 0; made < left; made += 1) {
      const [payee, category, most] = shops[Math.floor(next() * shops.length)] ?? shops[0] ?? ['', '', 1];
      const day = 1 + Math.floor((made * 28) / left);
      entries.push({ day: dayOf(month, day), payee, category, cents: -(100 + Math.floor(next() * next() * most * 2)) });
    }
  }
  return entries;
}

/** The file's text: one entry a line. */
export const formatLedger = (entries: readonly Entry[]): string =>
  entries.map((entry) => `${entry.day};${entry.payee};${entry.category};${entry.cents}\n`).join('');

/** The entries of a file; lines that are not one are left out. */
export function parseLedger(text: string): readonly Entry[] {
  return text.split('\n').flatMap((line) => {
    const [day, payee, category, cents] = line.split(';');
    return day && payee && category && cents ? [{ day, payee, category, cents: Number(cents) }] : [];
  });
}
