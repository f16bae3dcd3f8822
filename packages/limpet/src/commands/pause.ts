import { type Command, clientOptions, findRunDir, jsonFlag } from '../command.ts';
import { readNode } from '../wish.ts';

export const pause: Command = {
  name: 'pause',
  usage: 'pause <node> [--json]',
  summary: "stops a node's process where it stands (SIGSTOP)",
  about:
    'For trying out what a node that stands still does to the others. It keeps its place until the cluster has confirmed that it hangs; then it is killed and started anew. Until then, `limpet resume` lets it go on.',
  words: [1, 1],
  wordName: 'a node',
  options: clientOptions,
  flags: [jsonFlag],
  examples: [['limpet pause n2', 'a node that hangs']],
  async run(call) {
    const node = readNode(call);
    const runDir = await findRunDir(call);
    const { askCluster } = await import('@limpet/supervisor');
    await askCluster(runDir, 'pause', { node });
    if (call.flags.has('--json')) call.screen.out(JSON.stringify({ node, done: 'pause' }));
    else call.screen.out(`${node} is paused`);
    return 0;
  },
};
