import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type CertificateFiles, LimpetError } from '@limpet/core';
import { readJson, reasonOf, replaceFile } from './files.ts';
import type { Keys } from './keys.ts';
import type { ClusterOptions } from './options.ts';

/** When an option of a new `limpet start` reaches a cluster that it has adopted. */
export type TakesEffect =
  /** It has done so. */
  | 'now'
  /** At the next start of each node: `limpet restart --rolling`. */
  | 'restart'
  /** With `limpet scale`. */
  | 'scale'
  /** All processes must agree on it: `limpet stop`, then `limpet start`. Until then the running value holds. */
  | 'stop';

/** An option that differs between the running cluster and the start that has adopted it. */
export interface Difference {
  /** As in a configuration file: `adminPort`; `app`, `arguments`, `environment` and `folder` for the app itself. */
  readonly option: string;
  readonly running: string;
  readonly given: string;
  readonly takes: TakesEffect;
}

/** What is remembered of the running cluster's options, by name. Nothing secret: of secrets and variables a digest. */
export type Recorded = { readonly [option: string]: unknown };

const takes: { readonly [option: string]: TakesEffect } = {
  ...{ app: 'restart', arguments: 'restart', nodeArgs: 'restart', environment: 'restart', folder: 'restart' },
  ...{ nodes: 'scale', balancers: 'now', host: 'stop', port: 'stop', tls: 'stop', adminHost: 'now', adminPort: 'now' },
  ...{ store: 'stop', copies: 'stop', cookie: 'stop', sessionHeader: 'stop', secrets: 'stop' },
  ...{ deadline: 'stop', idle: 'stop', absolute: 'stop', keyLife: 'stop' },
  ...{ trustProxy: 'now', replayable: 'restart', orphanTimeout: 'restart', hangKill: 'now', readyTimeout: 'now' },
  drainTime: 'now',
  ...{ keepSessions: 'restart' },
};

const digest = (text: string | Uint8Array): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

/** Names a key without giving it away. */
const keyName = (key: Uint8Array): string => digest(Buffer.concat([Buffer.from('limpet mac key 1'), key]));

function digestOfFile(path: string): string {
  try {
    return digest(readFileSync(path));
  } catch {
    return 'unreadable';
  }
}

export function recordOptions(options: ClusterOptions, keys: Keys): Recorded {
  const { app } = options;
  return {
    app: `${app.file} (${digestOfFile(app.file)})`,
    arguments: app.args,
    nodeArgs: app.nodeArgs,
    environment: digest(JSON.stringify(Object.entries(app.env).sort())),
    folder: app.cwd,
    nodes: options.nodes,
    balancers: options.balancers,
    host: options.host,
    port: options.port,
    tls: options.tls.flatMap(({ cert, key }) => [cert, key]),
    adminHost: options.adminHost,
    adminPort: options.adminPort,
    store: options.store,
    copies: options.copies,
    cookie: options.cookieName,
    sessionHeader: options.headerName,
    secrets: keys.macKeys.map(keyName),
    trustProxy: options.trustProxy,
    deadline: options.deadlineMs,
    idle: options.idleMs,
    absolute: options.absoluteMs,
    orphanTimeout: options.orphanMs,
    keyLife: options.keyLifeMs,
    replayable: options.replayable,
    hangKill: options.hangKillMs,
    readyTimeout: options.readyTimeoutMs,
    drainTime: options.drainMs,
    keepSessions: options.keepSessions,
  };
}

/** Writes down what the processes of the cluster are started with, for the next supervisor. Gives why it could not, else null. */
export function writeOptions(path: string, recorded: Recorded): string | null {
  try {
    replaceFile(path, `${JSON.stringify(recorded)}\n`, false);
    return null;
  } catch (error) {
    return `what the cluster was started with cannot be written down, a later start cannot compare it: ${reasonOf(error)}`;
  }
}

export interface Adoptable {
  /** As given, but with the running values of what all processes must agree on. */
  readonly options: ClusterOptions;
  readonly keys: Keys;
  readonly differences: readonly Difference[];
  /** What the processes run with from now on. */
  readonly recorded: Recorded;
}

/**
 * Compares what the running cluster was started with to what is given now. Throws LIMPET_OTHER_KEYS when its secrets are
 * not among those given: none of its sessions could be verified.
 */
export function compareOptions(path: string, dir: string, given: ClusterOptions, keys: Keys): Adoptable {
  const running = readJson(path);
  if (typeof running !== 'object' || running === null)
    return { options: given, keys, differences: [], recorded: recordOptions(given, keys) };
  const before = running as Recorded;
  const now = recordOptions(given, keys);
  const differences = Object.keys(now).flatMap((option): readonly Difference[] => {
    const [was, is] = [before[option], now[option]];
    if (was === undefined || JSON.stringify(was) === JSON.stringify(is)) return [];
    return [{ option, ...words(option, was, is), takes: takes[option] ?? 'restart' }];
  });
  const instant = Object.entries(now).filter(([option]) => takes[option] === 'now');
  return {
    options: keepAgreed(given, before),
    keys: runningKeys(keys, before.secrets, dir),
    differences,
    recorded: { ...before, ...Object.fromEntries(instant) },
  };
}

/** The two values for people. Of what is remembered as a digest only that it has changed can be said. */
function words(option: string, was: unknown, is: unknown): { readonly running: string; readonly given: string } {
  if (option === 'environment') return { running: 'as it was', given: 'changed' };
  if (option === 'secrets') return { running: countSecrets(was), given: countSecrets(is) };
  return { running: wordsOf(was), given: wordsOf(is) };
}

function countSecrets(names: unknown): string {
  const count = Array.isArray(names) ? names.length : 0;
  return `${count} secret${count === 1 ? '' : 's'}`;
}

function wordsOf(value: unknown): string {
  if (value === null || (Array.isArray(value) && value.length === 0)) return 'none';
  return Array.isArray(value) ? value.join(' ') : String(value);
}

function keepAgreed(given: ClusterOptions, running: Recorded): ClusterOptions {
  const { host, port, store, copies, cookie, sessionHeader, nodes } = running;
  const { deadline, idle, absolute, keyLife, tls } = running;
  return {
    ...given,
    ...(typeof host === 'string' && { host }),
    ...(typeof port === 'number' && { port }),
    ...(Array.isArray(tls) && { tls: pairsOf(tls) }),
    ...((store === 'buddy' || store === 'memory') && { store }),
    ...(typeof copies === 'number' && { copies }),
    ...(typeof cookie === 'string' && { cookieName: cookie }),
    ...((typeof sessionHeader === 'string' || sessionHeader === null) && { headerName: sessionHeader }),
    ...(typeof nodes === 'number' && { nodes }),
    ...(typeof deadline === 'number' && { deadlineMs: deadline }),
    ...(typeof idle === 'number' && { idleMs: idle }),
    ...(typeof absolute === 'number' && { absoluteMs: absolute }),
    ...(typeof keyLife === 'number' && { keyLifeMs: keyLife }),
  };
}

/** Certificate and key in turn, as they are remembered. */
function pairsOf(paths: readonly unknown[]): ClusterOptions['tls'] {
  const pairs: CertificateFiles[] = [];
  for (let at = 0; at + 1 < paths.length; at += 2) pairs.push({ cert: String(paths[at]), key: String(paths[at + 1]) });
  return pairs;
}

/** The keys of the running processes, in their order: a process that verifies with fewer would not know the others' sessions. */
function runningKeys(keys: Keys, names: unknown, dir: string): Keys {
  if (!Array.isArray(names)) return keys;
  const known = new Map(keys.macKeys.map((key) => [keyName(key), key]));
  const macKeys = names.map((name) => known.get(String(name)));
  if (!macKeys.every((key) => key !== undefined)) throw new LimpetError('LIMPET_OTHER_KEYS', { dir });
  return { ...keys, macKeys };
}
