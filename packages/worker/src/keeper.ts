import { once } from 'node:events';
import { MessageChannel, Worker } from 'node:worker_threads';
import type { FromCopySide, FromOwnKeeper, NodeId, ToCopySide, ToOwnKeeper } from '@limpet/core';
import { BatchedPort } from './batched-port.ts';
import type { FromKeeperThread, KeeperData, ToKeeperThread } from './keeper-thread.ts';
import { startPulse } from './pulse.ts';

/** The own keeper as the app's loop sees it. */
export interface Keeper {
  post(message: ToOwnKeeper | ToCopySide): void;
  /** Has it write what it holds to its file; resolves when it has. */
  save(limitMs: number): Promise<void>;
}

/**
 * Starts the keeper thread and resolves once it accepts links. The thread ending is fatal: a worker whose copies are
 * gone must not go on as if it held them.
 */
export async function startKeeper(
  options: Omit<KeeperData, 'port' | 'pulse' | 'debuggerPort'> & {
    readonly node: NodeId;
    readonly received: (message: FromCopySide | FromOwnKeeper) => void;
  },
): Promise<Keeper> {
  const { received, ...data } = options;
  const { port1: port, port2 } = new MessageChannel();
  const here = { pulse: startPulse(), debuggerPort: process.debugPort };
  const thread = new Worker(new URL('./keeper-thread.js', import.meta.url), {
    workerData: { ...data, ...here, port: port2 } satisfies KeeperData,
    transferList: [port2],
    // Nothing of the app: neither its preloads nor its arguments.
    execArgv: [],
    argv: [],
    name: 'limpet keeper',
  });
  thread.on('error', (error) => {
    process.stderr.write(`limpet: the keeper thread failed: ${error.stack ?? error.message}\n`);
    process.exit(1);
  });
  await once(port, 'message');
  let saved = (): void => {};
  port.on('message', (messages: readonly FromKeeperThread[]) => {
    for (const message of messages) {
      if (message.kind === 'saved') saved();
      else received(message);
    }
  });
  // The app decides how long the process lives.
  port.unref();
  thread.unref();
  const outgoing = new BatchedPort<ToKeeperThread>(port);
  return {
    post: (message) => outgoing.post(message),
    save: (limitMs) =>
      new Promise((resolve) => {
        saved = resolve;
        outgoing.post({ kind: 'save', limitMs });
      }),
  };
}
