import { LimpetError } from '@limpet/core';
import type { Status } from '@limpet/supervisor';
import { type Command, clientOptions, findRunDir, jsonFlag } from '../command.ts';
import { formatLeft, formatStatus } from '../format-status.ts';
import { formatError } from '../screen.ts';

export const status: Command = {
  name: 'status',
  usage: 'status [options]',
  summary: 'shows nodes, sessions, balancers and addresses',
  about:
    'Shows the view, the addresses, and for each node its process, how many times it was started, its health, its mode and how many sessions it holds as primary and as buddy. Of a cluster whose supervisor is gone it shows what still runs, and exits 1.',
  words: [0, 0],
  wordName: '',
  options: clientOptions,
  flags: [jsonFlag],
  examples: [
    ['limpet status', 'the cluster started in this folder'],
    ['limpet status --run-dir /var/run/shop --json', 'another cluster, for a program'],
  ],
  async run(call) {
    const runDir = await findRunDir(call);
    const { askCluster, describeLeft } = await import('@limpet/supervisor');
    try {
      const found = (await askCluster(runDir, 'status', null)) as Status;
      if (call.flags.has('--json')) call.screen.out(JSON.stringify(found));
      else for (const line of formatStatus(found)) call.screen.out(line);
      return 0;
    } catch (error) {
      if (!(error instanceof LimpetError) || error.code !== 'LIMPET_UNSUPERVISED') throw error;
      const { code, message } = error;
      const left = describeLeft(runDir);
      if (call.flags.has('--json')) call.screen.out(JSON.stringify({ ...left, error: { code, message } }));
      else {
        for (const line of formatLeft(left)) call.screen.out(line);
        call.screen.err(formatError(error, call.screen));
      }
      return 1;
    }
  },
};
