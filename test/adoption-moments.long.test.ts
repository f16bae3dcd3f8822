import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { nodeIdAt } from '@limpet/core';
import { describe, expect, test } from 'vitest';
import { Views } from '../packages/supervisor/src/views.ts';
import { checkAll, eventOf, killSupervisor, pidsOf, startAgain } from './support/adoption.ts';
import { Client } from './support/client.ts';
import { startCluster, temporaryFolder } from './support/cluster.ts';
import { runLimpet } from './support/command.ts';
import { createUsers, readOnce } from './support/load.ts';
import { isRunning, killAll } from './support/processes.ts';
import { waitUntil } from './support/wait-until.ts';

/** Whether nobody listens on the Unix socket. */
const refuses = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', () => resolve(true));
  });

/** The same browser, with connections of its own: the former ones ended with their balancer. */
function reopened(client: Client): Client {
  const fresh = new Client(client.url);
  for (const [name, value] of client.cookies) fresh.cookies.set(name, value);
  return fresh;
}

describe('the supervisor is killed in the middle', () => {
  test('after it had written a view and before anybody saw it: everybody gets that view first, then the new ones', async () => {
    const first = await startCluster();
    const users = await createUsers(first.url, 40);
    const before = await first.settled();
    await killSupervisor(first);
    const dead = Number(before.nodes[3]?.pid);
    process.kill(dead, 'SIGKILL');
    await waitUntil(() => !isRunning(dead), { what: 'the death of n4' });
    // What a supervisor leaves that has proven this death, and dies before it sends the view.
    const views = new Views(join(first.runDir, 'views.json'));
    const newest = views.newest;
    if (newest === null) throw new Error('no view on disk');
    const { n4: _, ...members } = newest.members;
    const ring = newest.ring.filter((id) => id !== 'n4');
    const death = { node: nodeIdAt(4), incarnation: 1, cause: 'killed', how: 'SIGKILL', running: null } as const;
    views.persist({ ...newest, number: newest.number + 1, ring, members }, [death]);

    const second = await startAgain(first);
    const after = await second.settled();
    expect(after.view?.term).toBe(2);
    expect(after.nodes.map(({ incarnation }) => incarnation)).toEqual([1, 1, 1, 2]);
    expect(second.events.filter(({ event }) => event === 'died')).toEqual([]);
    await checkAll(users);
  });

  test('while it starts the cluster: the next start has it, nobody is left over', async () => {
    const folder = temporaryFolder();
    const first = await startCluster({ folder, waitReady: false });
    await waitUntil(() => first.pids().length > 2, { what: 'some processes' });
    await killSupervisor(first);
    const second = await startAgain(first);
    const users = await createUsers(second.url, 5);
    await checkAll(users);
    await second.stop();
    await waitUntil(() => [...first.pids(), ...second.pids()].length === 0, { what: 'every process to end' });
  });

  test('while a node starts: that very process joins when it is ready', async () => {
    const hold = join(temporaryFolder(), 'hold');
    const env = { HOLD_FILE: hold };
    const first = await startCluster({ env });
    const users = await createUsers(first.url, 20);
    writeFileSync(hold, 'n2');
    await first.kill('n2');
    const starting = async () => (await first.status()).nodes[1];
    await waitUntil(async () => (await starting())?.incarnation === 2 && (await starting())?.pid !== null);
    const pid = (await starting())?.pid;
    // It has been welcomed when both its sides are connected: its socket for copies is there.
    await waitUntil(() => existsSync(join(first.runDir, 'sockets', 'n2.2.copy')), { what: 'its keeper' });
    await killSupervisor(first);
    const second = await startAgain(first, { env, waitReady: false });
    await waitUntil(() => eventOf(second, 'ready'), { what: 'the second start' });
    rmSync(hold);
    const status = await second.settled();
    expect(status.nodes[1]).toMatchObject({ pid, incarnation: 2 });
    await checkAll(users);
  });

  test('while a node joins with 3,000 sessions: the join goes on, nothing is lost', async () => {
    const hold = join(temporaryFolder(), 'hold');
    const env = { HOLD_FILE: hold };
    const first = await startCluster({ env });
    const users = await createUsers(first.url, 3_000);
    writeFileSync(hold, 'n2');
    await first.kill('n2');
    await waitUntil(async () => (await first.status()).nodes[1]?.incarnation === 2);
    rmSync(hold);
    const newest = () => readFileSync(join(first.runDir, 'views.json'), 'utf8').trimEnd().split('\n').at(-1) ?? '';
    await waitUntil(() => !newest().includes('"next":null'), { every: 1, what: 'a joint view' });
    await killSupervisor(first);
    const isJoint = !newest().includes('"next":null');
    const second = await startAgain(first, { env });
    const status = await second.settled(60_000);
    expect(isJoint).toBe(true);
    expect(status.nodes[1]).toMatchObject({ incarnation: 2 });
    for (let from = 0; from < users.length; from += 100) await checkAll(users.slice(from, from + 100));
  });
});

describe('who comes back', () => {
  test('a worker that stands still: killed after a second, replaced, nothing lost; the others are not waited for', async () => {
    const first = await startCluster();
    const users = await createUsers(first.url, 40);
    const before = await first.settled();
    await killSupervisor(first);
    const pid = Number(before.nodes[2]?.pid);
    process.kill(pid, 'SIGSTOP');
    const second = await startAgain(first);
    expect(second.output()).toContain('n3.1 did not come back to the new supervisor: it is killed');
    const after = await second.settled();
    expect(after.nodes.map(({ incarnation }) => incarnation)).toEqual([1, 1, 2, 1]);
    expect(isRunning(pid)).toBe(false);
    await checkAll(users);
  });

  test('all workers stand still: it is the machine, nobody is killed, and when they go on everybody serves', async () => {
    const first = await startCluster();
    const users = await createUsers(first.url, 20);
    const before = await pidsOf(first);
    await killSupervisor(first);
    for (const pid of before) process.kill(Number(pid), 'SIGSTOP');
    const second = await startAgain(first, { waitReady: false });
    await waitUntil(() => eventOf(second, 'ready'), { what: 'the second start' });
    for (const pid of before) process.kill(Number(pid), 'SIGCONT');
    await second.settled();
    expect(await pidsOf(second)).toEqual(before);
    await checkAll(users);
  });

  test('one dies and another stands still: the second may hold the last copies, so it is spared, and they are served', async () => {
    const first = await startCluster();
    const users = await createUsers(first.url, 60);
    const before = await first.settled();
    const pids = before.nodes.map(({ pid }) => Number(pid));
    await killSupervisor(first);
    process.kill(pids[1] ?? 0, 'SIGKILL');
    process.kill(pids[2] ?? 0, 'SIGSTOP');
    const second = await startAgain(first, { waitReady: false });
    await waitUntil(() => eventOf(second, 'adopted'), { what: 'the takeover' });
    process.kill(pids[2] ?? 0, 'SIGCONT');
    const after = await second.settled();
    expect(after.nodes.map(({ incarnation }) => incarnation)).toEqual([1, 2, 1, 1]);
    await checkAll(users);
  });

  test('no balancer is left: the port is bound anew', async () => {
    const first = await startCluster({ balancers: 2 });
    const users = await createUsers(first.url, 5);
    const { balancers } = await first.settled();
    await killSupervisor(first);
    killAll(balancers.map(({ pid }) => Number(pid)));
    const second = await startAgain(first, { balancers: 2 });
    expect(second.url).toBe(first.url);
    await checkAll(users.map(({ client, check }) => ({ client: reopened(client), check })));
    // Nobody had to hold it: the supervisor does.
    const pid = Number((await second.status()).balancers[0]?.pid);
    process.kill(pid, 'SIGKILL');
    await waitUntil(async () => {
      expect((await fetch(first.url, { headers: { connection: 'close' } })).status).toBe(200);
      return (await second.status()).balancers.every((one) => one.pid !== null && one.pid !== pid);
    });
  });
});

describe('without a supervisor', () => {
  test('a primary dies: its users wait until their deadline, then 503 not-executed; the next start fails over', async () => {
    const first = await startCluster({ flags: ['--deadline', '2s'] });
    const users = await createUsers(first.url, 20);
    const where = await Promise.all(users.map(async ({ client }) => (await client.get('/api/me')).json().node));
    await killSupervisor(first);
    const before = await runLimpet(['status', '--json', '--run-dir', first.runDir]);
    const { nodes } = JSON.parse(before.stdout) as { readonly nodes: readonly { readonly pid: number }[] };
    const dead = Number(nodes[1]?.pid);
    process.kill(dead, 'SIGKILL');
    // Until its last thread has gone it could still be given bytes, and their fate would be unknown.
    await waitUntil(() => refuses(join(first.runDir, 'sockets', 'n2.1.http')), { what: 'the end of its sockets' });
    await fetch(first.url);
    const asked = performance.now();
    const answers = await Promise.all(
      users.map(async (user, at) => {
        // Reads go on everywhere else. A write whose buddy was n2 may not be answered: nobody can say that it is safe.
        if (where[at] !== 'n2') return await readOnce(user);
        const answer = await user.client.post('/api/counter');
        user.check.wrote(answer);
        return answer;
      }),
    );
    for (const answer of answers.filter((one) => one !== undefined)) {
      expect([answer.status, answer.outcome]).toEqual([503, 'not-executed']);
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    }
    expect(where.filter((node) => node === 'n2').length).toBeGreaterThan(0);
    expect(performance.now() - asked).toBeGreaterThan(1_900);
    const second = await startAgain(first, { flags: ['--deadline', '2s'] });
    await second.settled();
    await Promise.all(users.map(readOnce));
    for (const { check } of users)
      expect(check).toMatchObject({ lost: 0, doubled: 0, failedReads: 0, failedWrites: 0 });
  });

  test('an app that logs every request notices nothing, and its lines are followed again after the next start', async () => {
    const folder = temporaryFolder();
    const app = join(folder, 'logs.mjs');
    const program = `import { createServer } from 'node:http';
      createServer((req, res) => { console.log('got ' + req.url); res.end('ok'); }).listen(process.env.PORT);`;
    writeFileSync(app, program);
    const first = await startCluster({ folder, app, nodes: 2 });
    await killSupervisor(first);
    const client = new Client(first.url);
    for (let at = 0; at < 200; at += 1) expect((await client.get(`/without-${at}`)).status).toBe(200);
    const second = await startAgain(first, { app, nodes: 2 });
    expect((await client.get('/with')).status).toBe(200);
    await waitUntil(() => second.output().includes('got /with"'), { what: 'the line of a request' });
    expect(second.output()).not.toContain('got /without-');
    const logs = ['n1', 'n2'].map((node) => readFileSync(join(first.runDir, 'logs', `${node}.log`), 'utf8')).join('');
    expect(logs.match(/got \/without-/g)).toHaveLength(200);
  });

  test('nobody starts it again: after the time that was given everybody ends, and the port is free', async () => {
    const first = await startCluster({ flags: ['--orphan-timeout', '1s'], balancers: 2 });
    await killSupervisor(first);
    await waitUntil(() => first.pids().length === 0, { timeout: 20_000, what: 'the end of the orphans' });
    await expect(fetch(first.url)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
  });

  test('taken over twice, then killed again: stop ends everybody, the holder of the port included', async () => {
    const first = await startCluster({ nodes: 2 });
    const users = await createUsers(first.url, 10);
    await killSupervisor(first);
    const second = await startAgain(first, { nodes: 2 });
    await waitUntil(() => readFileSync(join(first.runDir, 'processes.json'), 'utf8').includes('"holder"'));
    await killSupervisor(second);
    const third = await startAgain(first, { nodes: 2 });
    await checkAll(users);
    expect((await third.settled()).view?.term).toBe(3);
    await killSupervisor(third);
    const stopped = await runLimpet(['stop', '--run-dir', first.runDir]);
    expect([stopped.code, stopped.stdout]).toEqual([0, expect.stringMatching(/n1.*/)]);
    expect([...first.pids(), ...second.pids(), ...third.pids()]).toEqual([]);
    await expect(fetch(first.url)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
  });
});
