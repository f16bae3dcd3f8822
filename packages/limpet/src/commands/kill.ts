import { constants } from 'node:os';
import { parseNodeId } from '@limpet/core';
import type { DeathReport } from '@limpet/supervisor';
import { type Call, type Command, clientOptions, findRunDir, jsonFlag } from '../command.ts';
import { formatKill } from '../format-death.ts';
import { didYouMean } from '../suggest.ts';

export const kill: Command = {
  name: 'kill',
  usage: 'kill <node> [--signal KILL]',
  summary: 'kills the worker of a node and says what came of it',
  about:
    "Sends a signal to the worker of a node, waits, and prints what happened: when the death was detected and the buddies were promoted, when a request for one of its users was served again (the cluster's own probe), how many sessions went to which node, and for how long they had one copy only. The node is started again by itself.",
  words: [1, 1],
  wordName: 'a node',
  options: clientOptions,
  flags: [
    { flag: '--signal', kind: 'value', placeholder: '<name>', means: 'The signal: KILL (default), TERM, ABRT, …' },
    jsonFlag,
  ],
  examples: [
    ['limpet kill n2', 'kill -9 for the worker of n2'],
    ['limpet kill n2 --signal TERM --json', 'another signal; the figures as JSON'],
  ],
  async run(call) {
    const wrong = [...call.problems];
    const [word] = call.words;
    const node = word === undefined ? null : parseNodeId(word);
    if (word !== undefined && node === null) wrong.push(`"${word}" is no node: nodes are called n1, n2, …`);
    const signal = readSignal(call, wrong);
    const runDir = await findRunDir({ ...call, problems: wrong });
    const { askCluster } = await import('@limpet/supervisor');
    const report = (await askCluster(runDir, 'kill', { node, signal })) as DeathReport;
    if (call.flags.has('--json')) call.screen.out(JSON.stringify(report));
    else for (const line of formatKill(report)) call.screen.out(line);
    return 0;
  },
};

/** `KILL`, `SIGKILL`, `kill`: SIGKILL. */
function readSignal(call: Call, problems: string[]): string {
  const written = call.flags.get('--signal')?.[0] ?? 'KILL';
  const name = `SIG${written.toUpperCase().replace(/^SIG/, '')}`;
  const known = Object.keys(constants.signals);
  if (!known.includes(name)) problems.push(`--signal is ${written}, which is no signal${didYouMean(name, known)}`);
  return name;
}
