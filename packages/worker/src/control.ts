import { type FromSupervisor, LimpetError, type ToSupervisor, type ViewNumber, type Welcome } from '@limpet/core';
import { dial, type Link, type LinkHandlers, Prover, socketPath, whoOf } from '@limpet/transport';
import type { Run } from './run.ts';
import type { ViewFeed } from './view-feed.ts';

/** The worker's link with the supervisor. It opens itself anew for as long as the process lives. */
export interface Control {
  readonly welcome: Welcome;
  readonly connected: boolean;
  /** False: not connected, dropped. Whoever must be heard repeats itself. */
  send(message: ToSupervisor): boolean;
  /** Called at every welcome from now on: a supervisor that came back knows nothing of what the one before was told. */
  onWelcome(listener: () => void): void;
  /** Everything but `welcome` and `views`. */
  onMessage(listener: (message: FromSupervisor) => void): void;
}

export interface ControlOptions {
  readonly version: string;
  /** How long the first answer may take. */
  readonly welcomeMs: number;
  /** Without a supervisor for as long as the welcome said. */
  readonly orphaned: () => void;
}

/** Dials the supervisor as the app's loop, and resolves when it has answered. Rejects with LIMPET_NO_SUPERVISOR. */
export function connectControl(run: Run, views: ViewFeed, options: ControlOptions): Promise<Control> {
  return new Promise((resolve, reject) => {
    const listeners: ((message: FromSupervisor) => void)[] = [];
    const welcomed: (() => void)[] = [];
    const me = { role: 'app', name: run.node, incarnation: run.incarnation } as const;
    let welcome: Welcome | null = null;
    let settled: ViewNumber | null = null;
    const prover = new Prover(whoOf(me), () => welcome?.proofKey ?? null);
    let orphanTimer: NodeJS.Timeout | undefined;
    const path = socketPath(run.sockets, 'control');
    const welcomeTimer = setTimeout(() => {
      link.close();
      reject(new LimpetError('LIMPET_NO_SUPERVISOR', { path, ms: options.welcomeMs }));
    }, options.welcomeMs);

    const settle = (first: Welcome): void => {
      welcome = first;
      clearTimeout(welcomeTimer);
      resolve({
        welcome: first,
        get connected() {
          return link.connected;
        },
        send: (message) => link.send(message),
        onWelcome: (listener) => welcomed.push(listener),
        onMessage: (listener) => listeners.push(listener),
      });
    };

    const take = (message: FromSupervisor): void => {
      if (message.kind === 'welcome') {
        if (welcome === null) settle(message);
        for (const listener of welcomed) listener();
      } else if (message.kind === 'views') views.apply(message.views, message.deaths);
      else {
        if (message.kind === 'settled') settled = message.view;
        for (const listener of listeners) listener(message);
      }
    };

    const handlers: LinkHandlers<FromSupervisor> = {
      open() {
        clearTimeout(orphanTimer);
        const { version } = options;
        const nonce = prover.begin();
        link.send({ kind: 'hello', ...me, pid: process.pid, seen: views.current, settled, nonce, version });
      },
      message(message) {
        if (message.kind === 'challenge') {
          const proof = prover.answer(message);
          if (proof === null) process.stderr.write('limpet: a supervisor with other keys was refused\n');
          link.send({ kind: 'proof', proof });
        } else if (prover.isProven) take(message);
      },
      close() {
        clearTimeout(orphanTimer);
        if (welcome === null || welcome.orphanMs === 0) return;
        orphanTimer = setTimeout(options.orphaned, welcome.orphanMs);
        orphanTimer.unref();
      },
    };
    // An app whose own work is done may end: this link must not keep it alive. Until the welcome its timer does.
    const link: Link<FromSupervisor, ToSupervisor> = dial(path, handlers, { unref: true });
  });
}
