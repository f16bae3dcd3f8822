import { type Command, clientOptions, jsonFlag } from '../command.ts';
import { describeLeaving, follow, readNode } from '../wish.ts';

export const drain: Command = {
  name: 'drain',
  usage: 'drain <node> [--json]',
  summary: 'hands the sessions of a node over and ends it',
  about:
    'The node takes no new sessions, its sessions and copies go to the others, then it finishes its requests, closes its WebSockets (code 1001) over --drain-time and ends. No request fails and no session is lost. It stays down until `limpet undrain`, also when the cluster gets a new supervisor. The last node that serves is not drained.',
  words: [1, 1],
  wordName: 'a node',
  options: clientOptions,
  flags: [jsonFlag],
  examples: [
    ['limpet drain n2', 'with progress and the time left'],
    ['limpet drain n2 --json', 'one JSON object when it is done'],
  ],
  async run(call) {
    const node = readNode(call);
    return follow(call, {
      question: 'drain',
      body: { node },
      isDone: ({ nodes, settled }) =>
        settled && nodes.every(({ id, mode, pid }) => id !== node || (mode === 'drain' && pid === null)),
      describe: (status) => describeLeaving(status, node),
      failure: ({ nodes }) =>
        nodes.some(({ id, mode }) => id === node && mode === 'ready') ? `${node} was taken back by somebody` : null,
      done: `${node} is drained and down`,
    });
  },
};
