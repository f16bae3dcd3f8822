import { LimpetError } from '@limpet/core';
import { type Command, clientOptions, findRunDir, jsonFlag } from '../command.ts';

export const stop: Command = {
  name: 'stop',
  usage: 'stop [options]',
  summary: 'stops the cluster from another terminal',
  about:
    'Has the cluster finish the requests that run and end; returns when no process of it is left. Without a supervisor (it was killed) the processes it has left are ended.',
  words: [0, 0],
  wordName: '',
  options: clientOptions,
  flags: [jsonFlag],
  examples: [
    ['limpet stop', 'the cluster started in this folder'],
    ['limpet stop --run-dir /var/run/shop', 'another one'],
  ],
  async run(call) {
    const runDir = await findRunDir(call);
    const { askCluster, stopOrphans } = await import('@limpet/supervisor');
    let orphans: readonly { readonly name: string; readonly pid: number }[] = [];
    try {
      await askCluster(runDir, 'stop', null);
    } catch (error) {
      const isGone = error instanceof LimpetError && ['LIMPET_NO_CLUSTER', 'LIMPET_UNSUPERVISED'].includes(error.code);
      if (!isGone) throw error;
      orphans = await stopOrphans(runDir);
      if (orphans.length === 0) throw error;
    }
    if (call.flags.has('--json')) call.screen.out(JSON.stringify({ stopped: true, orphans }));
    else call.screen.out(orphans.length === 0 ? 'stopped' : formatOrphans(orphans));
    return 0;
  },
};

const formatOrphans = (orphans: readonly { readonly name: string }[]): string =>
  `the supervisor was gone; ended what it had left: ${orphans.map(({ name }) => name).join(', ')}`;
