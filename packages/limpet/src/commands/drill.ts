import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { resolveAppFile } from '../app-file.ts';
import type { Call, Command, CommandFlag } from '../command.ts';
import { type FaultKind, faultKinds, faultMeanings } from '../drill/fault-kinds.ts';
import { flagOf, type OptionName } from '../options.ts';
import { loadSettings } from '../resolve-options.ts';
import { didYouMean } from '../suggest.ts';

/** Options of `limpet start` that a drill passes on. */
const passedOn: readonly OptionName[] = [
  'nodes',
  'balancers',
  'copies',
  'store',
  'cookie',
  'sessionHeader',
  'deadline',
  'hangKill',
  'readyTimeout',
  'nodeArgs',
  'envFile',
  'config',
];

/** V8's limit of the heap: how a fault of memory ends in a second, and not when the machine's memory is full. */
const heapFlag = '--max-old-space-size';
/** In MiB, for the workers of the drill's own app. */
const heapMiB = 64;

/** Numbers of the drill: default, least, most. */
const numbers = {
  '--seed': { byDefault: null, least: 0, most: 2 ** 31, means: 'Chooses the faults; the same seed, the same faults.' },
  '--kills': {
    byDefault: 30,
    least: 1,
    most: 1_000_000,
    means: 'Ends after so many killed processes; 30. Fewer in the given time: exit code 1.',
  },
  '--requests': {
    byDefault: 0,
    least: 0,
    most: 1_000_000_000,
    means: 'Goes on until so many requests were made, too; 0. Fewer in the given time: exit code 1.',
  },
  '--seconds': { byDefault: 600, least: 1, most: 1_000_000, means: 'Ends after this time; 600.' },
  '--sessions': { byDefault: 200, least: 1, most: 100_000, means: 'Sessions at a time; 200.' },
  '--connections': {
    byDefault: 50,
    least: 1,
    most: 4_096,
    means: 'Connections that send one request after the other; 50.',
  },
  '--rate': {
    byDefault: 700,
    least: 1,
    most: 100_000,
    means: 'Requests per second at most, over all connections; 700.',
  },
} as const;

type NumberFlag = keyof typeof numbers;

const numberFlags: readonly CommandFlag[] = Object.entries(numbers).map(([flag, { means }]) => ({
  flag,
  kind: 'value',
  placeholder: '<number>',
  means,
}));

const kindsText = faultKinds.map((kind) => `${kind} (${faultMeanings[kind]})`).join(', ');

export const drill: Command = {
  name: 'drill',
  usage: "drill [file] [options] [-- the app's arguments]",
  summary: 'loads a cluster, kills its processes, and checks that nothing is lost',
  about:
    'Starts a cluster of its own with the app (or a tiny one), drives it with sessions that count and append, kills, stops and blocks its processes one after the other, and checks every answer: no acknowledged write may be lost, no effect doubled, no GET fail. Each session of the drill is checked for linearizability. Ends with a report; exit code 0 only when nothing was lost, doubled or failed.',
  words: [0, 1],
  wordName: 'a file',
  options: passedOn,
  flags: [
    ...numberFlags,
    {
      flag: '--only',
      kind: 'value',
      placeholder: '<kinds>',
      means: `Faults to make, with commas between them: ${kindsText}.`,
    },
    {
      flag: '--double',
      kind: 'switch',
      placeholder: '',
      means: 'Only pairs: two workers killed at once, with --copies 3.',
    },
    {
      flag: '--path',
      kind: 'values',
      placeholder: '<path>',
      means: 'A path of the app to GET besides, which must not fail; may be repeated.',
    },
    { flag: '--report', kind: 'value', placeholder: '<file>', means: 'Writes the report to this file as Markdown.' },
    { flag: '--json', kind: 'switch', placeholder: '', means: 'JSON instead of text.' },
  ],
  examples: [
    ['limpet drill', '30 kills against a tiny app'],
    ['limpet drill app.js --path / --path /cart', 'against your own, with two of its pages'],
    ['limpet drill --double --kills 40', 'two nodes at once, three copies'],
    ['limpet drill --kills 1000 --requests 1000000 --seconds 2400 --report drill.md', 'a long run, kept'],
  ],
  async run(call) {
    const problems = [...call.problems];
    const number = (flag: NumberFlag): number => readNumber(call, flag, problems);
    const isDouble = call.flags.has('--double');
    const asked = isDouble ? (['double'] as const) : readKinds(call.flags.get('--only')?.[0] ?? null, problems);
    const paths = call.flags.get('--path') ?? [];
    for (const path of paths) if (!path.startsWith('/')) problems.push(`--path is ${path}: a path begins with /`);
    const seed = call.flags.has('--seed') ? number('--seed') : Math.floor(Math.random() * 2 ** 31);
    const plan = {
      seed,
      kills: call.flags.has('--seconds') && !call.flags.has('--kills') ? null : number('--kills'),
      requests: number('--requests'),
      seconds: number('--seconds'),
      sessions: number('--sessions'),
      connections: number('--connections'),
      rate: number('--rate'),
      paths,
    };
    const { settings } = await loadSettings({ ...call, problems }, passedOn);
    const own = fileURLToPath(new URL('../drill/app.js', import.meta.url));
    const [word] = call.words;
    const heap = planHeap(asked, settings.nodeArgs, word === undefined);
    const faults = heap.kind === 'unlimited' ? asked.filter((kind) => kind !== 'memory') : asked;
    const app = word === undefined ? own : resolve(call.folder, word);
    if (word !== undefined) resolveAppFile(word, call.folder);
    const flags = passedOn.flatMap((name) => {
      const given = call.flags.get(flagOf(name));
      return given === undefined ? [] : [flagOf(name), given.join(',')];
    });
    const needsThree = faults.includes('double') && settings.copies < 3;
    return await runAndTell(call, {
      ...plan,
      app,
      appArguments: call.rest,
      faults,
      unmade:
        heap.kind === 'unlimited'
          ? `memory: not made, as it would fill the machine: give the workers a limit, --node-args "${heapFlag}=256"`
          : null,
      flags: [
        ...flags,
        ...(needsThree ? ['--copies', '3'] : []),
        ...(heap.kind === 'ours'
          ? [flagOf('nodeArgs'), [...settings.nodeArgs, `${heapFlag}=${heapMiB}`].join(' ')]
          : []),
      ],
    });
  },
};

/** How the heap of the workers is limited: by what was given, by us, or, as nobody but its author knows what an app needs, not at all. */
function planHeap(
  faults: readonly FaultKind[],
  nodeArgs: readonly string[],
  isOwnApp: boolean,
): { readonly kind: 'given' | 'ours' | 'unlimited' } {
  if (!faults.includes('memory') || nodeArgs.some((argument) => argument.startsWith(heapFlag)))
    return { kind: 'given' };
  return { kind: isOwnApp ? 'ours' : 'unlimited' };
}

async function runAndTell(call: Call, plan: import('../drill/run.ts').DrillPlan): Promise<0 | 1> {
  const { runDrill } = await import('../drill/run.ts');
  const { describeDrill, formatMarkdown, formatProgress, formatReport } = await import('../drill/report.ts');
  const isJson = call.flags.has('--json');
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interrupt);
  const watcher = {
    progress: (...progress: Parameters<typeof formatProgress>): void => {
      if (!isJson) call.screen.err(formatProgress(...progress));
    },
  };
  const report = describeDrill(await runDrill(plan, watcher, interrupted.signal));
  const file = call.flags.get('--report')?.[0];
  if (file !== undefined) writeFileSync(resolve(call.folder, file), formatMarkdown(report));
  call.screen.out(isJson ? JSON.stringify(report) : formatReport(report));
  return report.passed ? 0 : 1;
}

function readNumber(call: Call, flag: NumberFlag, problems: string[]): number {
  const { byDefault, least, most } = numbers[flag];
  const written = call.flags.get(flag)?.[0];
  const value = written === undefined ? (byDefault ?? least) : Number(written);
  if (!Number.isInteger(value) || value < least || value > most || written === '') {
    problems.push(`${flag} is ${written}: a whole number from ${least} to ${most}`);
  }
  return value;
}

function readKinds(written: string | null, problems: string[]): readonly FaultKind[] {
  if (written === null) return faultKinds.filter((kind) => kind !== 'double');
  return written.split(',').flatMap((word) => {
    const kind = faultKinds.find((one) => one === word.trim());
    if (kind === undefined) problems.push(`--only names "${word}", which is no fault${didYouMean(word, faultKinds)}`);
    return kind ?? [];
  });
}
