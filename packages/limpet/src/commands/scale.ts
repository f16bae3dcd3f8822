import { LimpetError } from '@limpet/core';
import { type Command, clientOptions, jsonFlag } from '../command.ts';
import { describeMove, follow } from '../wish.ts';

export const scale: Command = {
  name: 'scale',
  usage: 'scale <n> [--json]',
  summary: 'changes the number of nodes while the cluster serves',
  about:
    'More: n5, n6, … are started and get their share of the sessions. Fewer: the nodes with the highest numbers are drained and end, one after the other. Returns when that is done and every session has its copies.',
  words: [1, 1],
  wordName: 'a number of nodes',
  options: clientOptions,
  flags: [jsonFlag],
  examples: [
    ['limpet scale 6', 'two more than four'],
    ['limpet scale 3', 'n6, n5 and n4 hand their sessions over and end'],
  ],
  async run(call) {
    const [word = ''] = call.words;
    const nodes = /^[1-9]\d{0,2}$/.test(word) ? Number(word) : 0;
    if (nodes < 1 || nodes > 256) {
      throw new LimpetError('LIMPET_USAGE', { problem: `"${word}" is no number of nodes: 1 to 256` });
    }
    return follow(call, {
      question: 'scale',
      body: { nodes },
      isDone: (status) =>
        status.settled &&
        status.next === null &&
        status.nodes.length === nodes &&
        status.nodes.every(({ id, mode, givenUp }) => mode === 'drain' || givenUp || status.ring.includes(id)),
      describe: (status) => `${status.ring.length} nodes in the ring · ${describeMove(status)}`,
      failure: (status) => {
        const failed = status.nodes.find(({ givenUp }) => givenUp);
        return failed === undefined ? null : `${failed.id} stays down: ${failed.reason}`;
      },
      done: `there are ${nodes} nodes`,
    });
  },
};
