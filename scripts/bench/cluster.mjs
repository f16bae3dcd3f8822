// What every part of the bench does: start a cluster, make users, load it, read processor time.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(new URL('../../packages/limpet/bin/limpet.js', import.meta.url));
export const app = fileURLToPath(new URL('../../test/fixtures/counter-app.mjs', import.meta.url));

export const percentile = (values, share) =>
  [...values].sort((a, b) => a - b)[Math.ceil(values.length * share) - 1] ?? Number.NaN;
export const ms = (value) => `${value.toFixed(value < 10 ? 2 : 1)} ms`;

export function printTable(title, rows) {
  console.log(`\n${title}`);
  for (const [name, value] of rows) console.log(`  ${name.padEnd(52)} ${value}`);
}

/** User and system time of a process so far, in microseconds. */
export function cpuOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

/** `ownRunDir`: one that the caller removes. */
export async function startCluster(env = {}, flags = [], ownRunDir = null) {
  const runDir = ownRunDir ?? mkdtempSync(join(tmpdir(), 'limpet-bench-'));
  const began = performance.now();
  const args = ['start', app, '--port', '0', '--admin-port', '0', '--run-dir', runDir, '--log', 'json', ...flags];
  const child = spawn(process.execPath, [bin, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.on('close', resolve));
  const lines = [];
  let partial = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    const parts = (partial + text).split('\n');
    partial = parts.pop() ?? '';
    for (const line of parts) if (line.startsWith('{')) lines.push(JSON.parse(line));
  });
  const statusByCommand = () =>
    new Promise((resolve) => {
      const command = spawn(process.execPath, [bin, 'status', '--json', '--run-dir', runDir], {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      let text = '';
      command.stdout.on('data', (piece) => {
        text += piece;
      });
      command.on('close', (code) => resolve(code === 0 ? JSON.parse(text) : null));
    });
  let admin = null;
  const status = async () => {
    const now = admin ? await (await fetch(new URL('/api/status', admin))).json() : await statusByCommand();
    admin ??= now?.admin?.url ?? null;
    return now;
  };
  /** Until every node is back and every session has its copies; asks every `askMs`. */
  const whole = async (askMs = 20) => {
    const until = performance.now() + 60_000;
    while (performance.now() < until) {
      const now = await status();
      const processes = [...(now?.nodes ?? []), ...(now?.balancers ?? [])];
      // The port refuses connections until a balancer listens on it.
      if (now?.settled && processes.every(({ health }) => health === 'alive')) return now;
      if (child.exitCode !== null) throw new Error('limpet start ended');
      await sleep(askMs);
    }
    throw new Error('the cluster does not settle');
  };
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
    if (ownRunDir === null) rmSync(runDir, { recursive: true, force: true });
  };
  const first = await whole();
  return { url: first.url, runDir, child, lines, status, whole, stop, startedMs: performance.now() - began };
}

/** A cluster whose supervisor was killed and that another start has adopted. */
export async function startAdopted(env = {}) {
  const first = await startCluster(env);
  const gone = new Promise((resolve) => first.child.once('exit', resolve));
  first.child.kill('SIGKILL');
  await gone;
  const second = await startCluster(env, [], first.runDir);
  const stop = async () => {
    await second.stop();
    rmSync(first.runDir, { recursive: true, force: true });
  };
  return { ...second, stop };
}

/** One exchange; resolves with status, set-cookie and body. */
export function exchange(target, { method = 'GET', cookie, agent }) {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      target,
      { method, agent, headers: { ...(cookie ? { cookie } : {}), 'content-length': 0 } },
      (incoming) => {
        let text = '';
        incoming.setEncoding('utf8').on('data', (piece) => {
          text += piece;
        });
        incoming.on('end', () =>
          resolve({ status: incoming.statusCode, set: incoming.headers['set-cookie']?.[0], text }),
        );
        incoming.on('error', reject);
      },
    );
    outgoing.on('error', reject);
    outgoing.end();
  });
}

export async function makeUser(url, agent) {
  const { set, text } = await exchange(new URL('/api/counter', url), { method: 'POST', agent });
  return { cookie: set.split(';')[0], node: JSON.parse(text).node };
}

/** A closed loop of `users` against `path` for `forMs`; latencies in milliseconds. */
export async function closedLoop(url, path, users, forMs, { method = 'GET', agent }) {
  const endsAt = performance.now() + forMs;
  const took = [];
  let failed = 0;
  const loop = async (user) => {
    while (performance.now() < endsAt) {
      const began = performance.now();
      const { status } = await exchange(new URL(path, url), { method, cookie: user.cookie, agent });
      took.push(performance.now() - began);
      if (status !== 200) failed += 1;
    }
  };
  await Promise.all(users.map(loop));
  return { took, failed };
}
