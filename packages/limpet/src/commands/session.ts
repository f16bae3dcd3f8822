import { type Command, clientOptions, findRunDir, jsonFlag } from '../command.ts';

export const session: Command = {
  name: 'session',
  usage: 'session [options]',
  summary: 'prints a fresh cookie of this cluster',
  about:
    'Has the running cluster make a session id whose home is one of its nodes, drawn at random, and prints it as a cookie. No session is stored: one begins with the first write under it.',
  words: [0, 0],
  wordName: '',
  options: clientOptions,
  flags: [jsonFlag],
  examples: [
    ['limpet session', 'JSESSIONID=…'],
    ['curl -b "$(limpet session)" http://127.0.0.1:8080/', 'a request that is pinned from the start'],
  ],
  async run(call) {
    const runDir = await findRunDir(call);
    const { askCluster } = await import('@limpet/supervisor');
    const made = (await askCluster(runDir, 'session', null)) as { readonly cookie: string };
    call.screen.out(call.flags.has('--json') ? JSON.stringify(made) : made.cookie);
    return 0;
  },
};
