import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ClusterEvent } from '@limpet/supervisor';
import { chooseCopy, ownCopy, preloadUrl } from '../app-copy.ts';
import { type AppFile, resolveAppFile } from '../app-file.ts';
import { type ClusterLog, openPrettyLog, type StartFacts } from '../cluster-log.ts';
import { planCluster } from '../cluster-options.ts';
import type { Call, Command, ExitCode } from '../command.ts';
import { takeDoor } from '../drill/door.ts';
import { readEnvFiles } from '../env-file.ts';
import { planTries } from '../format-banner.ts';
import { LineWriter } from '../line-writer.ts';
import { optionNames, type Settings } from '../options.ts';
import { loadSettings } from '../resolve-options.ts';
import { runCluster } from '../run-cluster.ts';

export const start: Command = {
  name: 'start',
  usage: "start <file> [options] [-- the app's arguments]",
  summary: 'runs an app in several processes behind one port',
  about:
    'Runs the app in several worker processes behind a balancer that pins every user to the worker holding the session; each session is copied to a second worker before the answer leaves. Stays in the foreground: Ctrl-C finishes what runs and exits 0; again, a second later, it ends everything at once. The file may be ESM, CommonJS or TypeScript, or a folder with a package.json; the app listens on process.env.PORT.',
  words: [1, 1],
  wordName: 'a file',
  options: optionNames,
  flags: [],
  examples: [
    ['limpet start app.mjs', 'four nodes on http://127.0.0.1:8080'],
    ['limpet start app.ts --nodes auto --port 3000', 'one node for each core, another port'],
    ['limpet start . --env-file .env -- --verbose', 'main of the package.json here, variables, an argument'],
    ['limpet start app.js --node-args "--max-old-space-size=512"', 'arguments for node itself'],
  ],
  async run(call) {
    const { settings } = await loadSettings(call);
    const app = resolveAppFile(call.words[0] ?? '.', call.folder);
    const own = ownCopy();
    const copy = chooseCopy(app.file, own);
    const env = withoutKnown(await readEnvFiles(settings.envFile), call.environment);
    const log = await openLog(call, settings, own.version);
    if (copy.note !== null) log.note(copy.note);
    const preload = copy.other === null ? null : preloadUrl(copy.other);
    return await startAndWait(call, settings, app, env, preload, log);
  },
};

async function startAndWait(
  call: Call,
  settings: Settings,
  app: AppFile,
  env: Readonly<Record<string, string>>,
  preload: URL | null,
  log: ClusterLog,
): Promise<ExitCode> {
  // Loaded only here: wrong usage and help are answered without it.
  const { startCluster } = await import('@limpet/supervisor');
  const { balancerEntry } = await import('@limpet/balancer');
  const { preloadEntry } = await import('@limpet/worker');
  const options = planCluster(settings, {
    ...app,
    args: call.rest,
    env,
    cwd: call.folder,
    preload: preload ?? preloadEntry,
    balancerEntry,
    drillDoor: takeDoor(process.env),
  });
  const calls = {
    app: app.file,
    start: (onEvent: (event: ClusterEvent) => void, signal: AbortSignal) => startCluster(options, onEvent, signal),
  };
  return await runCluster(calls, log);
}

/** A variable that is set is never replaced, as with `node --env-file`. */
function withoutKnown(
  variables: Readonly<Record<string, string>>,
  environment: Call['environment'],
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(variables).filter(([name]) => environment[name] === undefined));
}

async function openLog(call: Call, settings: Settings, version: string): Promise<ClusterLog> {
  const { nodes, balancers, store, copies } = settings;
  const usual = settings.runDir === resolve(call.folder, '.limpet');
  const tries = planTries({
    environment: call.environment,
    scripts: scriptsOf(call.environment.npm_package_json),
    runDir: usual ? null : settings.runDir,
    nodes,
  });
  const writer = new LineWriter(1);
  const facts: StartFacts = { version, nodes, balancers, store, copies, tries };
  const kind = settings.log ?? (call.screen.isTerminal ? 'pretty' : 'json');
  if (kind === 'pretty') return openPrettyLog(writer, call.screen, facts, () => performance.now());
  return (await import('../json-log.ts')).openJsonLog(writer, facts);
}

/** The npm scripts beside the one that started this process. */
function scriptsOf(manifest: string | undefined): readonly string[] {
  if (manifest === undefined || !existsSync(manifest)) return [];
  try {
    return Object.keys(JSON.parse(readFileSync(manifest, 'utf8')).scripts ?? {});
  } catch {
    return [];
  }
}
