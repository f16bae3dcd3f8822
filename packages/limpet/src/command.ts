import type { FlagKind } from './arguments.ts';
import type { OptionName, Settings } from './options.ts';
import { loadSettings } from './resolve-options.ts';
import type { Screen } from './screen.ts';

/** A flag that is no option of the cluster: it says what this one call does. */
export interface CommandFlag {
  readonly flag: string;
  readonly kind: FlagKind;
  /** Empty for a switch. */
  readonly placeholder: string;
  readonly means: string;
}

/** What a command was called with. */
export interface Call {
  readonly words: readonly string[];
  readonly flags: ReadonlyMap<string, readonly string[]>;
  readonly rest: readonly string[];
  readonly problems: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly folder: string;
  readonly screen: Screen;
}

export type ExitCode = 0 | 1 | 2 | 130;

/** One command of the command line; cli.ts lists them all. */
export interface Command {
  readonly name: string;
  readonly usage: string;
  readonly summary: string;
  readonly about: string;
  /** Words after the name: `[least, most]`, and what a missing one is called. */
  readonly words: readonly [number, number];
  readonly wordName: string;
  readonly options: readonly OptionName[];
  readonly flags: readonly CommandFlag[];
  readonly examples: readonly (readonly [string, string])[];
  run(call: Call): Promise<ExitCode>;
}

export const jsonFlag: CommandFlag = {
  flag: '--json',
  kind: 'switch',
  placeholder: '',
  means: 'JSON instead of text.',
};

/** Where the options of commands that only talk to a running cluster come from. */
export const clientOptions: readonly OptionName[] = ['runDir', 'config'];

/** The run directory, the one thing a command needs to find its cluster. */
export async function findRunDir(call: Call): Promise<Settings['runDir']> {
  return (await loadSettings(call, clientOptions)).settings.runDir;
}
