import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { Client } from './support/client.ts';
import { type Cluster, type LogLine, startCluster } from './support/cluster.ts';
import { waitUntil } from './support/wait-until.ts';

const changes = (cluster: Cluster, change: string, node: string): readonly LogLine[] =>
  cluster.events.filter((line) => line.event === 'health' && line.change === change && line.node === node);

/** The address that node printed when it opened the inspector of this worker. */
const inspectorOf = (cluster: Cluster, node: string): string | undefined =>
  cluster.events
    .filter((line) => line.node === node)
    .map((line) => /^Debugger listening on (ws:\S+)$/.exec(String(line.msg))?.[1])
    .findLast((url) => url !== undefined);

/** A debugger's end of the inspector protocol. */
class Debugger {
  readonly #socket: WebSocket;
  readonly #heard: string[] = [];
  #sequence = 0;

  constructor(url: string) {
    this.#socket = new WebSocket(url);
    this.#socket.on('message', (data) => {
      const { id, method } = JSON.parse(String(data));
      this.#heard.push(method ?? String(id));
    });
  }

  async send(method: string): Promise<void> {
    await waitUntil(() => this.#socket.readyState === WebSocket.OPEN, { what: 'the debugger to be connected' });
    this.#sequence += 1;
    const id = this.#sequence;
    this.#socket.send(JSON.stringify({ id, method }));
    await this.heard(String(id));
  }

  heard(what: string): Promise<unknown> {
    return waitUntil(() => this.#heard.includes(what), { what });
  }

  close(): void {
    this.#socket.close();
  }
}

test('a debugger stops a worker at a breakpoint for longer than the hang limit: nobody is killed', async () => {
  const flags = ['--hang-kill', '2s', '--node-args', '--inspect=127.0.0.1:0'];
  const cluster = await startCluster({ flags });
  const user = new Client(cluster.url);
  const node = String((await user.post('/api/counter')).json().node);
  const before = await cluster.status();
  const person = new Debugger((await waitUntil(() => inspectorOf(cluster, node), { what: 'the inspector' })) ?? '');
  await person.send('Debugger.enable');
  await person.send('Debugger.pause');
  await person.heard('Debugger.paused');
  // Whoever is homed there waits; the rest goes on, writes that are copied to it included.
  const waiting = user.post('/api/counter');
  await waitUntil(() => changes(cluster, 'spared', node).length > 0, { what: `${node} to be spared` });
  expect(changes(cluster, 'spared', node)[0]).toMatchObject({ guard: 'inspector', clock: 'loop' });
  const shown = (await cluster.status()).nodes.find(({ id }) => id === node);
  expect(shown).toMatchObject({
    health: 'suspect',
    reason: expect.stringMatching(/blocked for .*, a debugger is open$/),
  });
  for (let visitor = 0; visitor < 20; visitor += 1) {
    const answer = await new Client(cluster.url).post('/api/counter');
    expect([answer.status, answer.json().node === node]).toEqual([200, false]);
  }
  await person.send('Debugger.resume');
  expect((await waiting).json().count).toBe(2);
  const after = await cluster.settled();
  expect(after.nodes.map(({ pid }) => pid)).toEqual(before.nodes.map(({ pid }) => pid));
  person.close();
});

/** A port that nobody has at the moment. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

test('SIGUSR1 opens the debugger of a worker whose loop is blocked already: it is not killed', async () => {
  const flags = ['--hang-kill', '4s', '--node-args', `--inspect-port=127.0.0.1:${await freePort()}`];
  const cluster = await startCluster({ flags });
  const user = new Client(cluster.url);
  const node = String((await user.post('/api/counter')).json().node);
  const blocking = user.get('/block?ms=7000');
  await waitUntil(() => changes(cluster, 'suspect', node).length > 0, { what: `${node} to be suspect` });
  const pid = await cluster.kill(node, 'SIGUSR1');
  expect((await blocking).status).toBe(200);
  expect(changes(cluster, 'spared', node)[0]).toMatchObject({ guard: 'inspector', clock: 'loop' });
  const status = await cluster.settled();
  expect(status.nodes.find(({ id }) => id === node)?.pid).toBe(pid);
});
