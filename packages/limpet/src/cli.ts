import { type ErrorCode, LimpetError } from '@limpet/core';
import { ownCopy } from './app-copy.ts';
import { type FlagKind, parseArguments } from './arguments.ts';
import type { Command, ExitCode } from './command.ts';
import { check } from './commands/check.ts';
import { drain } from './commands/drain.ts';
import { drill } from './commands/drill.ts';
import { kill } from './commands/kill.ts';
import { pause } from './commands/pause.ts';
import { restart } from './commands/restart.ts';
import { resume } from './commands/resume.ts';
import { scale } from './commands/scale.ts';
import { session } from './commands/session.ts';
import { start } from './commands/start.ts';
import { status } from './commands/status.ts';
import { stop } from './commands/stop.ts';
import { undrain } from './commands/undrain.ts';
import { formatCommandHelp, formatHelp } from './help.ts';
import { flagOf, options } from './options.ts';
import { formatError, openScreen, type Screen } from './screen.ts';
import { didYouMean } from './suggest.ts';

export const commands: readonly Command[] = [
  start,
  status,
  kill,
  pause,
  resume,
  drain,
  undrain,
  restart,
  scale,
  stop,
  session,
  check,
  drill,
];

/** Errors that are the caller's: exit code 2. */
const usageCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'LIMPET_USAGE',
  'LIMPET_OPTIONS',
  'LIMPET_CONFIG_FILE',
  'LIMPET_APP_FILE',
  'LIMPET_APP_TYPESCRIPT',
  'LIMPET_ENV_FILE',
]);

/** Runs the command that `argv` (without node and script) asks for, and gives the exit code. Never rejects. */
export async function main(argv: readonly string[]): Promise<ExitCode> {
  const screen = openScreen(process.env);
  const asJson = argv.slice(0, argv.includes('--') ? argv.indexOf('--') : undefined).includes('--json');
  try {
    return await runCommand(argv, screen);
  } catch (error) {
    return report(error, asJson, screen);
  }
}

async function runCommand(argv: readonly string[], screen: Screen): Promise<ExitCode> {
  const [name = 'help', ...others] = argv;
  if (name === '--version' || name === '-v') {
    screen.out(ownCopy().version);
    return 0;
  }
  if (name === 'help' || name === '--help' || name === '-h') {
    const [about] = others;
    screen.out(about === undefined ? formatHelp(commands, ownCopy().version) : formatCommandHelp(findCommand(about)));
    return 0;
  }
  const command = findCommand(name);
  const { words, flags, rest, problems } = parseArguments(others, knownFlags(command));
  if (flags.has('--help')) {
    screen.out(formatCommandHelp(command));
    return 0;
  }
  const [least, most] = command.words;
  const wrong = [...problems];
  if (words.length < least) wrong.push(`limpet ${command.name} needs ${command.wordName}: limpet ${command.usage}`);
  for (const word of words.slice(most)) wrong.push(`"${word}" is one word too many: limpet ${command.usage}`);
  const call = { flags, rest, problems: wrong, environment: process.env, folder: process.cwd(), screen };
  return await command.run({ ...call, words: words.slice(0, most) });
}

function findCommand(name: string): Command {
  const found = commands.find((one) => one.name === name);
  if (found !== undefined) return found;
  const what = name.startsWith('-') ? 'option' : 'command';
  const near = didYouMean(
    name,
    commands.map((one) => one.name),
  );
  const problem = `unknown ${what} ${name}${near}${near === '' ? '; limpet help lists the commands' : ''}`;
  throw new LimpetError('LIMPET_USAGE', { problem });
}

function knownFlags(command: Command): ReadonlyMap<string, FlagKind> {
  return new Map<string, FlagKind>([
    ['--help', 'switch'],
    ...command.flags.map(({ flag, kind }) => [flag, kind] as const),
    ...command.options.map((name) => [flagOf(name), options[name].reader.repeatable ? 'values' : 'value'] as const),
  ]);
}

function report(error: unknown, asJson: boolean, screen: Screen): ExitCode {
  if (!(error instanceof LimpetError)) {
    screen.err(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return 1;
  }
  const { code, message } = error;
  if (asJson) screen.out(JSON.stringify({ error: { code, message } }));
  else screen.err(formatError(error, screen));
  return usageCodes.has(code) ? 2 : 1;
}
