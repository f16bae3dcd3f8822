import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkAll, eventOf, killSupervisor, pidsOf, startAgain } from './support/adoption.ts';
import { type Cluster, startCluster } from './support/cluster.ts';
import { runLimpet } from './support/command.ts';
import { createUsers } from './support/load.ts';
import { isRunning, killAll } from './support/processes.ts';
import { waitUntil } from './support/wait-until.ts';

/** A start that does not come to be, and what it says. */
async function failedStart(cluster: Cluster, flags: readonly string[] = []): Promise<string> {
  const started = await startAgain(cluster, { waitReady: false, flags });
  expect(await started.ended(20_000)).toBe(1);
  return started.output();
}

describe('what lies in the run directory', () => {
  test('the view file is damaged: set aside, the views of the workers serve; then every file but the keys is gone', async () => {
    const first = await startCluster();
    const users = await createUsers(first.url, 20);
    const before = await pidsOf(first);
    await killSupervisor(first);
    const path = join(first.runDir, 'views.json');
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.slice(0, text.length / 2));
    const second = await startAgain(first);
    expect(second.output()).toContain('views.json cannot be used and is set aside');
    expect(existsSync(`${path}.damaged`)).toBe(true);
    expect(await pidsOf(second)).toEqual(before);
    await checkAll(users);

    const { view } = await second.status();
    await killSupervisor(second);
    for (const name of ['views.json', 'processes.json', 'cluster.json', 'options.json']) {
      rmSync(join(first.runDir, name));
    }
    const third = await startAgain(second);
    expect(await pidsOf(third)).toEqual(before);
    expect((await third.settled()).view?.term).toBeGreaterThan(view?.term ?? 0);
    await checkAll(users);
    await third.stop();
    expect([...first.pids(), ...second.pids(), ...third.pids()]).toEqual([]);
  });

  test('a view was published that the disk did not take: the start learns it from the workers', async () => {
    const first = await startCluster();
    const users = await createUsers(first.url, 20);
    await first.settled();
    const path = join(first.runDir, 'views.json');
    cpSync(path, `${path}.kept`);
    rmSync(path);
    mkdirSync(path);
    await first.kill('n2');
    const { view } = await first.settled();
    await killSupervisor(first);
    expect(await failedStart(first)).toContain('LIMPET_RUN_DIRECTORY');
    await checkAll(users);

    rmSync(path, { recursive: true });
    cpSync(`${path}.kept`, path);
    const second = await startAgain(first);
    const after = await second.settled();
    expect(after.view).toMatchObject({ term: 2 });
    expect(after.view?.number).toBeGreaterThan(view?.number ?? 0);
    expect(after.nodes.map(({ incarnation }) => incarnation)).toEqual([1, 2, 1, 1]);
    await checkAll(users);
  });

  test('the machine was started anew: pids and start times of that table mean nothing, nobody is touched', async () => {
    const first = await startCluster({ nodes: 2 });
    const stranger = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    try {
      await killSupervisor(first);
      killAll(first.pids());
      const stat = readFileSync(`/proc/${stranger.pid}/stat`, 'utf8');
      const startTime = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
      const entry = { name: 'n1', role: 'worker', incarnation: 1, pid: stranger.pid, startTime };
      const boot = '00000000-0000-0000-0000-000000000000';
      const table = { boot, starts: { n1: 3 }, processes: [entry] };
      writeFileSync(join(first.runDir, 'processes.json'), JSON.stringify(table));
      const file = join(first.runDir, 'cluster.json');
      const content = { ...JSON.parse(readFileSync(file, 'utf8')), pid: stranger.pid, startTime, boot };
      writeFileSync(file, JSON.stringify(content));
      expect((await runLimpet(['status', '--run-dir', first.runDir])).stderr).toContain('LIMPET_NO_CLUSTER');
      expect((await runLimpet(['stop', '--run-dir', first.runDir])).stderr).toContain('LIMPET_NO_CLUSTER');
      const second = await startAgain(first, { nodes: 2 });
      expect(eventOf(second, 'adopted')).toBeUndefined();
      expect((await second.settled()).nodes.map(({ incarnation }) => incarnation)).toEqual([4, 1]);
      expect(isRunning(Number(stranger.pid))).toBe(true);
    } finally {
      stranger.kill('SIGKILL');
    }
  });
});

describe('a start that must not harm what runs', () => {
  test('two starts at once: one takes over, the other is refused', async () => {
    const first = await startCluster();
    const users = await createUsers(first.url, 20);
    await killSupervisor(first);
    const both = await Promise.all([1, 2].map(() => startAgain(first, { waitReady: false })));
    const isOver = (one: Cluster) => one.supervisor.exitCode !== null || eventOf(one, 'ready') !== undefined;
    await waitUntil(() => both.every(isOver), { timeout: 20_000, what: 'both starts' });
    const refused = both.filter(({ supervisor }) => supervisor.exitCode === 1);
    expect(refused).toHaveLength(1);
    expect(refused[0]?.output()).toContain('LIMPET_RUN_DIRECTORY_IN_USE');
    await checkAll(users);
  });

  test('other secrets, the keys gone, the admin port taken: refused with the reason, everybody serves on', async () => {
    const first = await startCluster();
    const users = await createUsers(first.url, 20);
    const before = await pidsOf(first);
    await killSupervisor(first);
    const secrets = join(first.folder, 'secrets');
    writeFileSync(secrets, `${'x'.repeat(32)}\n`, { mode: 0o600 });
    expect(await failedStart(first, ['--secret-file', secrets])).toContain('LIMPET_OTHER_KEYS');
    // Without the note of what runs, the processes themselves say so.
    rmSync(join(first.runDir, 'options.json'));
    expect(await failedStart(first, ['--secret-file', secrets])).toContain('LIMPET_OTHER_KEYS');
    const keys = join(first.runDir, 'keys');
    cpSync(keys, `${keys}.kept`);
    rmSync(keys);
    expect(await failedStart(first)).toContain('LIMPET_OTHER_KEYS');
    expect(existsSync(keys)).toBe(false);
    cpSync(`${keys}.kept`, keys);

    const taken = createServer().listen(0, '127.0.0.1');
    await waitUntil(() => taken.listening);
    const { port } = taken.address() as AddressInfo;
    expect(await failedStart(first, ['--admin-port', String(port)])).toContain('LIMPET_PORT_IN_USE');
    taken.close();
    await checkAll(users);
    const second = await startAgain(first);
    expect(await pidsOf(second)).toEqual(before);
    await checkAll(users);
  });

  test('other options: taken over all the same, each difference is named with both values and what to do', async () => {
    const first = await startCluster({ balancers: 2 });
    const users = await createUsers(first.url, 20);
    const before = await pidsOf(first);
    await killSupervisor(first);
    const flags = ['--cookie', 'OTHER', '--deadline', '5s', '--trust-proxy', '10.0.0.0/8', '--node-args=--no-warnings'];
    const second = await startAgain(first, { nodes: 4, balancers: 1, flags });
    const adopted = eventOf(second, 'adopted');
    const difference = (option: string, running: string, given: string, takes: string) => ({
      ...{ option, running, given, takes },
    });
    expect(adopted?.differences).toEqual([
      difference('nodeArgs', 'none', '--no-warnings', 'restart'),
      difference('balancers', '2', '1', 'now'),
      difference('cookie', 'JSESSIONID', 'OTHER', 'stop'),
      difference('trustProxy', 'none', '10.0.0.0/8', 'now'),
      difference('deadline', '10000', '5000', 'stop'),
    ]);
    expect(adopted?.msg).toContain('--deadline: was 10s, now 5s; as before until: limpet stop, limpet start');
    expect(adopted?.msg).toContain('limpet restart --rolling');
    expect(await pidsOf(second)).toEqual(before);
    await waitUntil(async () => (await second.status()).balancers.length === 1, { what: 'one balancer' });
    await checkAll(users);
    expect([...(users[0]?.client.cookies.keys() ?? [])]).toEqual(['JSESSIONID']);
    // What is started from now on has the new arguments.
    const pid = await second.kill('n3');
    await second.settled();
    const started = (await second.status()).nodes[2]?.pid;
    expect(started).not.toBe(pid);
    expect(readFileSync(`/proc/${started}/cmdline`, 'utf8')).toContain('--no-warnings');
    await killSupervisor(second);
    // What takes effect at once is no difference any more.
    const third = await startAgain(first, { balancers: 1, flags });
    const left = eventOf(third, 'adopted')?.differences as readonly { readonly option: string }[];
    expect(left.map(({ option }) => option)).toEqual(['nodeArgs', 'cookie', 'deadline']);
    await checkAll(users);
  });
});
