import type { ClusterOptions } from '@limpet/supervisor';
import type { Settings } from './options.ts';

/** What the cluster needs to know besides the settings. */
export interface ResolvedApp {
  readonly file: string;
  readonly nodeArgs: readonly string[];
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly preload: URL;
  readonly balancerEntry: URL;
  /** Where a drill's operations stand before the app; null: nowhere. */
  readonly drillDoor: string | null;
}

/** The supervisor's options out of ours. */
export function planCluster(settings: Settings, resolved: ResolvedApp): ClusterOptions {
  const { balancerEntry, drillDoor, ...app } = resolved;
  return {
    app: { ...app, nodeArgs: [...settings.nodeArgs, ...app.nodeArgs] },
    balancer: { entry: balancerEntry },
    nodes: settings.nodes,
    balancers: settings.balancers,
    host: settings.host,
    port: settings.port,
    adminHost: settings.adminHost,
    adminPort: settings.adminPort,
    runDir: settings.runDir,
    store: settings.store,
    copies: settings.copies,
    cookieName: settings.cookie,
    headerName: settings.sessionHeader?.toLowerCase() ?? null,
    secretFile: settings.secretFile,
    keepSessions: settings.keepSessions === 'on',
    trustProxy: settings.trustProxy,
    tls: settings.tlsCert.map((cert, at) => ({ cert, key: settings.tlsKey[at] ?? '' })),
    deadlineMs: settings.deadline,
    idleMs: settings.idle,
    absoluteMs: settings.absolute,
    keyLifeMs: settings.keyLife,
    replayable: settings.replayable,
    hangKillMs: settings.hangKill,
    drainMs: settings.drainTime,
    readyTimeoutMs: settings.readyTimeout,
    orphanMs: settings.orphanTimeout,
    drillDoor,
  };
}
