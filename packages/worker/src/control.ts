import { type FromSupervisor, LimpetError, numberOf, type ToSupervisor, type Welcome } from '@limpet/core';
import { dial, type Link, type LinkHandlers, socketPath } from '@limpet/transport';
import type { Run } from './run.ts';
import type { ViewFeed } from './view-feed.ts';

/** The worker's link with the supervisor. It opens itself anew for as long as the process lives. */
export interface Control {
  readonly welcome: Welcome;
  readonly connected: boolean;
  /** False: not connected, dropped. Whoever must be heard repeats itself. */
  send(message: ToSupervisor): boolean;
  /** Everything but `welcome` and `views`. */
  onMessage(listener: (message: FromSupervisor) => void): void;
}

export interface ControlOptions {
  readonly version: string;
  /** How long the first answer may take. */
  readonly welcomeMs: number;
  /** Without a supervisor for so long the process ends itself; 0: never. */
  readonly orphanMs: number;
  readonly orphaned: () => void;
}

/** Dials the supervisor as the app's loop, and resolves when it has answered. Rejects with LIMPET_NO_SUPERVISOR. */
export function connectControl(run: Run, views: ViewFeed, options: ControlOptions): Promise<Control> {
  return new Promise((resolve, reject) => {
    const listeners: ((message: FromSupervisor) => void)[] = [];
    let welcome: Welcome | null = null;
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
        onMessage: (listener) => listeners.push(listener),
      });
    };

    const handlers: LinkHandlers<FromSupervisor> = {
      open() {
        clearTimeout(orphanTimer);
        const { node: name, incarnation } = run;
        const seen = views.current && numberOf(views.current);
        link.send({ kind: 'hello', role: 'app', name, incarnation, pid: process.pid, seen, version: options.version });
      },
      message(message) {
        if (message.kind === 'welcome') {
          if (welcome === null) settle(message);
        } else if (message.kind === 'views') views.apply(message.views, message.deaths);
        else for (const listener of listeners) listener(message);
      },
      close() {
        clearTimeout(orphanTimer);
        if (welcome === null || options.orphanMs === 0) return;
        orphanTimer = setTimeout(options.orphaned, options.orphanMs);
        orphanTimer.unref();
      },
    };
    // An app whose own work is done may end: this link must not keep it alive. Until the welcome its timer does.
    const link: Link<FromSupervisor, ToSupervisor> = dial(path, handlers, { unref: true });
  });
}
