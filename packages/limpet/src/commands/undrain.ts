import { type Command, clientOptions, jsonFlag } from '../command.ts';
import { describeMove, follow, readNode } from '../wish.ts';

export const undrain: Command = {
  name: 'undrain',
  usage: 'undrain <node> [--json]',
  summary: 'takes a drained node in again, or calls its drain off',
  about:
    'A node that was drained is started and gets its share of the sessions; a drain that is still under way is called off. Returns when the node is in the ring and every session has its copies.',
  words: [1, 1],
  wordName: 'a node',
  options: clientOptions,
  flags: [jsonFlag],
  examples: [['limpet undrain n2', 'after limpet drain n2']],
  async run(call) {
    const node = readNode(call);
    return follow(call, {
      question: 'undrain',
      body: { node },
      isDone: ({ ring, next, settled }) => settled && next === null && ring.includes(node),
      describe: describeMove,
      failure: ({ nodes }) => {
        const found = nodes.find(({ id }) => id === node);
        return found?.givenUp ? `${node} stays down: ${found.reason}` : null;
      },
      done: `${node} is in the ring`,
    });
  },
};
