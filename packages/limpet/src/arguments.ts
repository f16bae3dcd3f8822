import { didYouMean, suggest } from './suggest.ts';

/** `switch`: stands alone. `value`: takes one, the last one counts. `values`: may be repeated. */
export type FlagKind = 'switch' | 'value' | 'values';

export interface Arguments {
  readonly words: readonly string[];
  /** By flag (`--port`): what was given, in order. A switch has an empty text. */
  readonly flags: ReadonlyMap<string, readonly string[]>;
  /** What stands after `--`: the app's own arguments. */
  readonly rest: readonly string[];
  readonly problems: readonly string[];
}

/** Splits a command line into words, flags and the rest after `--`; every problem is collected, none ends the reading. */
export function parseArguments(argv: readonly string[], known: ReadonlyMap<string, FlagKind>): Arguments {
  const end = argv.indexOf('--');
  const own = end < 0 ? argv : argv.slice(0, end);
  const words: string[] = [];
  const flags = new Map<string, string[]>();
  const problems: string[] = [];

  for (let i = 0; i < own.length; i++) {
    const argument = own[i] ?? '';
    if (!argument.startsWith('-') || argument === '-') {
      words.push(argument);
      continue;
    }
    const equals = argument.startsWith('--') ? argument.indexOf('=') : -1;
    const flag = equals < 0 ? argument : argument.slice(0, equals);
    const kind = known.get(flag);
    let value = equals < 0 ? null : argument.slice(equals + 1);
    if (kind === undefined) {
      problems.push(`unknown option ${flag}${didYouMean(flag, known.keys())}`);
      // Its value, if it has one, is not a word of ours: it would be reported a second time.
      const next = own[i + 1];
      if (equals < 0 && next !== undefined && !next.startsWith('-') && nearIsValued(flag, known)) i++;
      continue;
    }
    if (kind === 'switch') {
      if (value !== null) problems.push(`${flag} takes no value, but has "${value}"`);
      flags.set(flag, ['']);
      continue;
    }
    if (value === null) {
      const next = own[i + 1];
      if (next === undefined || known.has(next.split('=', 1)[0] ?? next)) {
        problems.push(`${flag} needs a value`);
        continue;
      }
      value = next;
      i++;
    }
    flags.set(flag, kind === 'values' ? [...(flags.get(flag) ?? []), value] : [value]);
  }
  return { words, flags, rest: end < 0 ? [] : argv.slice(end + 1), problems };
}

function nearIsValued(flag: string, known: ReadonlyMap<string, FlagKind>): boolean {
  const near = suggest(flag, known.keys());
  return near !== null && known.get(near) !== 'switch';
}
