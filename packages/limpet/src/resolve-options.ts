import { LimpetError } from '@limpet/core';
import { type ConfigFile, readConfigFile } from './config-file.ts';
import { formatDuration, type Reader } from './option-readers.ts';
import { environmentOf, flagOf, type OptionName, optionNames, options, type Settings } from './options.ts';
import { didYouMean, editDistance } from './suggest.ts';

export interface Sources {
  readonly flags: ReadonlyMap<string, readonly string[]>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly file: ConfigFile | null;
  /** Working directory: relative paths of flags and environment are relative to it. */
  readonly folder: string;
}

export type Origin = 'flag' | 'environment' | 'file' | 'default';

export interface Resolved {
  readonly settings: Settings;
  readonly origins: { readonly [K in OptionName]: Origin };
  readonly problems: readonly string[];
}

/** Set by the cluster in its workers: an app that runs `limpet` itself must not have them taken for options. */
const environmentOfWorkers = new Set(['LIMPET_NODE', 'LIMPET_RUN', 'LIMPET_APP_VERSION']);

interface Written {
  readonly value: unknown;
  readonly origin: Origin;
  /** `--port`, `LIMPET_PORT`, `"port" in /a/limpet.config.json`: how people find the place again. */
  readonly place: string;
  readonly folder: string;
}

/** Flag before environment before file before default. `wanted`: the options that matter to the command; the others keep their defaults. */
export function resolveOptions(sources: Sources, wanted: readonly OptionName[] = optionNames): Resolved {
  const problems: string[] = [...unknownKeys(sources.file), ...misspeltVariables(sources.environment)];
  const settings: Record<string, unknown> = {};
  const origins: Record<string, Origin> = {};
  for (const name of optionNames) {
    const written = wanted.includes(name) ? find(name, sources) : null;
    const option = options[name];
    settings[name] = option.byDefault === null ? null : option.reader.read(option.byDefault, sources.folder);
    origins[name] = written?.origin ?? 'default';
    if (written === null) continue;
    const value = option.reader.read(written.value, written.folder);
    if (value === undefined) problems.push(...problemsOf(written, option.reader));
    else settings[name] = value;
  }
  // Built from the table key by key, whose type says that every key has its type.
  const whole = settings as unknown as Settings;
  if (problems.length === 0 && whole.idle > whole.absolute) {
    const [idle, absolute] = [formatDuration(whole.idle), formatDuration(whole.absolute)];
    problems.push(`idle (${idle}) is longer than absolute (${absolute}): a session would never end by being idle`);
  }
  if (problems.length === 0 && whole.tlsCert.length !== whole.tlsKey.length) {
    const [certs, keys] = [whole.tlsCert.length, whole.tlsKey.length];
    problems.push(
      `tlsCert names ${certs} and tlsKey ${keys} files: give one key for each certificate, in the same order`,
    );
  }
  return { settings: whole, origins: origins as Resolved['origins'], problems };
}

/** Reads the configuration file the sources name and resolves; all problems become one LIMPET_OPTIONS. */
export async function loadSettings(
  given: Omit<Sources, 'file'> & { readonly problems: readonly string[] },
  wanted: readonly OptionName[] = optionNames,
): Promise<Resolved & { readonly file: ConfigFile | null }> {
  const problems = [...given.problems];
  const named = resolveOptions({ ...given, file: null }, ['config']).settings.config;
  let file: ConfigFile | null = null;
  try {
    file = await readConfigFile(named, given.folder);
  } catch (error) {
    if (!(error instanceof LimpetError)) throw error;
    problems.push(error.message);
  }
  const resolved = resolveOptions({ ...given, file }, wanted);
  problems.push(...resolved.problems);
  refuseProblems(problems);
  return { ...resolved, file };
}

/** Throws LIMPET_OPTIONS when there is any. */
export function refuseProblems(problems: readonly string[]): void {
  if (problems.length === 0) return;
  const lines = problems.map((problem) => `  - ${problem}`).join('\n');
  throw new LimpetError('LIMPET_OPTIONS', { count: problems.length, problems: lines });
}

function problemsOf({ place, value }: Written, reader: Reader<unknown>): readonly string[] {
  const explained = reader.explain?.(value) ?? [];
  return explained.length > 0
    ? explained.map((why) => `${place}: ${why}`)
    : [`${place} is ${show(value)}: ${reader.allowed}`];
}

function find(name: OptionName, sources: Sources): Written | null {
  const flag = flagOf(name);
  const given = sources.flags.get(flag);
  if (given !== undefined) {
    return { value: given.join(','), origin: 'flag', place: flag, folder: sources.folder };
  }
  const variable = environmentOf(name);
  const text = sources.environment[variable];
  // Empty means unset: `LIMPET_PORT= npm start` is how a shell takes a variable away.
  if (text !== undefined && text !== '') {
    return { value: text, origin: 'environment', place: `${variable} (environment)`, folder: sources.folder };
  }
  const value = sources.file?.values[name];
  if (sources.file === null || value === undefined || value === null) return null;
  return { value, origin: 'file', place: `"${name}" in ${sources.file.path}`, folder: sources.file.folder };
}

function unknownKeys(file: ConfigFile | null): readonly string[] {
  const known = optionNames.filter((name) => name !== 'config');
  return Object.keys(file?.values ?? {})
    .filter((key) => key !== '$schema' && !known.some((name) => name === key))
    .map((key) => `unknown key "${key}" in ${file?.path}${didYouMean(key, known)}`);
}

/** Only what is one letter away from an option: the app and other tools may have LIMPET_ variables of their own. */
function misspeltVariables(environment: Sources['environment']): readonly string[] {
  const known = optionNames.map(environmentOf);
  return Object.keys(environment)
    .filter((name) => name.startsWith('LIMPET_') && !known.includes(name) && !environmentOfWorkers.has(name))
    .flatMap((name) => {
      const near = known.find((one) => editDistance(name, one) === 1);
      return near === undefined ? [] : [`unknown variable ${name} (environment): did you mean ${near}?`];
    });
}

const show = (value: unknown): string =>
  value === '' ? '""' : typeof value === 'string' ? value : JSON.stringify(value);
