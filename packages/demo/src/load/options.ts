import { parseArgs } from 'node:util';

export interface LoadOptions {
  readonly sessions: number;
  readonly connections: number;
  /** Seconds. */
  readonly duration: number;
  /** At most so many requests. */
  readonly requests: number;
  /** Null: the cluster of the run directory. */
  readonly url: string | null;
  readonly runDir: string;
  readonly json: boolean;
}

interface NumberOption {
  readonly default: number;
  readonly least: number;
  readonly most: number;
  readonly help: string;
}

const numbers = {
  sessions: { default: 200, least: 1, most: 100_000, help: 'sessions, each with its own counter' },
  connections: { default: 20, least: 1, most: 1_000, help: 'connections; each serves its share of the sessions' },
  duration: { default: 10, least: 1, most: 3_600, help: 'seconds' },
  requests: { default: 5_000_000, least: 1, most: 100_000_000, help: 'stops after so many requests' },
} as const satisfies Record<string, NumberOption>;

export const loadHelp = `usage: npm run load -- [options]

Counts up a number in many sessions and compares every answer with what was acknowledged.
Exit code 0: nothing lost, nothing doubled. 1: something was, or could not be checked. 2: wrong usage.

${Object.entries(numbers)
  .map(([name, option]) => `${`  --${name} <number>`.padEnd(26)}${option.help} (${option.default})`)
  .join('\n')}
  --url <url>             the app (that of the run directory, else http://127.0.0.1:8080)
  --run-dir <folder>      where the cluster keeps its files (.limpet)
  --json                  one JSON object instead of the table
  --help`;

export type ReadOptions =
  | { readonly kind: 'options'; readonly options: LoadOptions }
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly problems: readonly string[] };

/** The options in `args`, or everything that is wrong with them at once. */
export function readOptions(args: readonly string[]): ReadOptions {
  let values: Record<string, string | boolean | undefined>;
  try {
    values = parse(args);
  } catch (error) {
    return { kind: 'wrong', problems: [error instanceof Error ? error.message : String(error)] };
  }
  if (values.help) return { kind: 'help' };
  const problems: string[] = [];
  const number = (name: keyof typeof numbers): number => {
    const option = numbers[name];
    const value = values[name] === undefined ? option.default : Number(values[name]);
    if (!Number.isInteger(value) || value < option.least || value > option.most)
      problems.push(`--${name} must be a whole number from ${option.least} to ${option.most}`);
    return value;
  };
  const url = typeof values.url === 'string' ? values.url : null;
  if (url !== null && !/^https?:$/.test(URL.canParse(url) ? new URL(url).protocol : ''))
    problems.push(`--url must be an http or https URL, not "${url}"`);
  const options: LoadOptions = {
    sessions: number('sessions'),
    connections: number('connections'),
    duration: number('duration'),
    requests: number('requests'),
    url,
    runDir: typeof values['run-dir'] === 'string' ? values['run-dir'] : '.limpet',
    json: values.json === true,
  };
  return problems.length > 0 ? { kind: 'wrong', problems } : { kind: 'options', options };
}

function parse(args: readonly string[]): Record<string, string | boolean | undefined> {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  return parseArgs({
    args: [...args],
    options: {
      sessions: text,
      connections: text,
      duration: text,
      requests: text,
      url: text,
      'run-dir': text,
      json: flag,
      help: flag,
    },
  }).values;
}
