// Start, load, kill, load, stop with the Node that runs this: what must hold on every supported version.
// Exit code 0 when no request failed and no counter is wrong. No test runner, no dependency.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(new URL('../packages/limpet/bin/limpet.js', import.meta.url));
const app = fileURLToPath(new URL('../test/fixtures/counter-app.mjs', import.meta.url));
const runDir = mkdtempSync(join(tmpdir(), 'limpet-smoke-'));

const run = (...args) =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [bin, ...args, '--run-dir', runDir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.on('data', (piece) => {
      text += piece;
    });
    child.on('close', (code) => resolve({ code, text }));
  });

async function waitForStatus(what, condition) {
  for (let round = 0; round < 150 && supervisor.exitCode === null; round += 1) {
    const { code, text } = await run('status', '--json');
    const status = code === 0 ? JSON.parse(text) : null;
    if (status && condition(status)) return status;
    await sleep(100);
  }
  throw new Error(`waited in vain: ${what}`);
}

const whole = (status) =>
  status.nodes.length === 4 && status.nodes.every((node) => node.health === 'alive') && status.settled;

/** One user: adds one and reads it back, until told to end. */
async function user(url, state) {
  let cookie = '';
  let count = 0;
  let unknown = 0;
  while (!state.ended) {
    for (const method of ['POST', 'GET']) {
      const response = await fetch(`${url}/api/counter`, { method, headers: cookie ? { cookie } : {} });
      const set = response.headers.getSetCookie()[0];
      if (set) cookie = set.split(';')[0];
      state.requests += 1;
      if (response.status !== 200) {
        await response.text();
        const outcome = response.headers.get('limpet-outcome');
        if (method === 'POST' && outcome === 'unknown') unknown += 1;
        else if (method === 'POST' && outcome === 'executed') count += 1;
        else state.problems.push(`${method} ${response.status} ${outcome}`);
        continue;
      }
      if (method === 'POST') count += 1;
      const seen = (await response.json()).count;
      if (seen < count || seen > count + unknown) state.problems.push(`${method} says ${seen}, acknowledged ${count}`);
      count = seen;
    }
  }
}

const supervisor = spawn(
  process.execPath,
  [bin, 'start', app, '--port', '0', '--admin-port', '0', '--run-dir', runDir],
  {
    stdio: ['ignore', 'inherit', 'inherit'],
  },
);
const exited = new Promise((resolve) => supervisor.on('close', resolve));
const state = { ended: false, requests: 0, problems: [] };
let stopCode = null;
try {
  const { url } = await waitForStatus('the start', whole);
  const users = Array.from({ length: 20 }, () => user(url, state));
  for (const node of ['n2', 'n3', 'n1']) {
    const seen = state.requests;
    await waitForStatus('requests', () => state.requests > seen + 200);
    const { code } = await run('kill', node);
    if (code !== 0) state.problems.push(`limpet kill ${node}: exit code ${code}`);
    await waitForStatus(`${node} to come back`, whole);
  }
  state.ended = true;
  await Promise.all(users);
} catch (error) {
  state.problems.push(String(error));
} finally {
  supervisor.kill('SIGTERM');
  stopCode = await Promise.race([exited, sleep(15_000, 'still running', { ref: false })]);
  if (stopCode === 'still running') await run('stop');
  rmSync(runDir, { recursive: true, force: true });
}
if (stopCode !== 0) state.problems.push(`limpet start ended with ${stopCode}`);
console.log(`Node ${process.version}: ${state.requests} requests, 3 kills, ${state.problems.length} problems`);
for (const problem of state.problems.slice(0, 20)) console.log(`  ${problem}`);
process.exit(state.problems.length === 0 && state.requests > 0 ? 0 : 1);
