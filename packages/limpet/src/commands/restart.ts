import { LimpetError } from '@limpet/core';
import { type Command, clientOptions, jsonFlag } from '../command.ts';
import { describeMove, follow, readNode } from '../wish.ts';

export const restart: Command = {
  name: 'restart',
  usage: 'restart <node> | restart --rolling',
  summary: 'starts a node anew, or all of them one after the other, without losing a request',
  about:
    'Drains the node, lets it end, starts it anew and lets it join. With --rolling all nodes, each only when every session has its copies again: a new version of the app gets in without a failed request. The order goes on when the supervisor is replaced meanwhile.',
  words: [0, 1],
  wordName: 'a node',
  options: clientOptions,
  flags: [{ flag: '--rolling', kind: 'switch', placeholder: '', means: 'All nodes, one after the other.' }, jsonFlag],
  examples: [
    ['limpet restart n2', 'one node'],
    ['limpet restart --rolling', 'all of them, after the app was changed'],
  ],
  async run(call) {
    const isRolling = call.flags.has('--rolling');
    if (isRolling === call.words.length > 0) {
      throw new LimpetError('LIMPET_USAGE', { problem: 'limpet restart needs a node, or --rolling' });
    }
    const node = isRolling ? null : readNode(call);
    const isLeft = (restarts: readonly string[]) => (node === null ? restarts.length > 0 : restarts.includes(node));
    return follow(call, {
      question: 'restart',
      body: node === null ? null : { node },
      isDone: ({ restarts, settled, next }) => settled && next === null && !isLeft(restarts),
      describe: (status) => `${status.restarts.length} to go · ${describeMove(status)}`,
      failure: ({ nodes }) => {
        const failed = nodes.find(({ givenUp }) => givenUp);
        return failed === undefined ? null : `${failed.id} stays down: ${failed.reason}`;
      },
      done: node === null ? 'all nodes were started anew' : `${node} was started anew`,
    });
  },
};
