import type { Status } from '@limpet/supervisor';
import { type Command, clientOptions, findRunDir, jsonFlag } from '../command.ts';
import { formatStatus } from '../format-status.ts';

export const status: Command = {
  name: 'status',
  usage: 'status [options]',
  summary: 'shows nodes, sessions, balancers and addresses',
  about:
    'Shows the view, the addresses, and for each node its process, how many times it was started, its health, its mode and how many sessions it holds as primary and as buddy.',
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
    const { askCluster } = await import('@limpet/supervisor');
    const found = (await askCluster(runDir, 'status', null)) as Status;
    if (call.flags.has('--json')) call.screen.out(JSON.stringify(found));
    else for (const line of formatStatus(found)) call.screen.out(line);
    return 0;
  },
};
