import { type Command, clientOptions, findRunDir, jsonFlag } from '../command.ts';
import { readNode } from '../wish.ts';

export const resume: Command = {
  name: 'resume',
  usage: 'resume <node> [--json]',
  summary: 'lets a paused node go on (SIGCONT)',
  about: 'The counterpart of `limpet pause`.',
  words: [1, 1],
  wordName: 'a node',
  options: clientOptions,
  flags: [jsonFlag],
  examples: [['limpet resume n2', 'after limpet pause n2']],
  async run(call) {
    const node = readNode(call);
    const runDir = await findRunDir(call);
    const { askCluster } = await import('@limpet/supervisor');
    await askCluster(runDir, 'resume', { node });
    if (call.flags.has('--json')) call.screen.out(JSON.stringify({ node, done: 'resume' }));
    else call.screen.out(`${node} goes on`);
    return 0;
  },
};
