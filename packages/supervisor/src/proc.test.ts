import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { classifyCause, type Ending, endingOfStatus, formatEnding, isOutOfMemory } from './ending.ts';
import { DeathWatch, isAlive, startTimeOf } from './proc.ts';
import { isDead, parseProcStat } from './proc-stat.ts';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** A process that runs `code`, already running it. */
async function run(code: string): Promise<{ pid: number; child: ChildProcess }> {
  const child = spawn(process.execPath, ['-e', `${code}; console.log('up')`], { stdio: ['pipe', 'pipe', 'ignore'] });
  children.push(child);
  await once(child.stdout, 'data');
  return { pid: child.pid ?? 0, child };
}

/** With `child`, its exit event counts too. */
const watched = (pid: number, child?: ChildProcess): Promise<Ending> =>
  new Promise((resolve) => {
    const watch = new DeathWatch().watch(pid, resolve);
    child?.on('exit', (code, signal) => watch.exited(code, signal));
  });

describe('proc stat', () => {
  const line = (name: string, state: string, flags: number, status: number) =>
    `41 (${name}) ${state} 1 41 41 0 -1 ${flags} ${'0 '.repeat(12)}9001 ${'0 '.repeat(29)}${status}\n`;

  test('parsing: a name with spaces and parentheses: the fields after it', () => {
    const stat = parseProcStat(line('a) Z 1 (b', 'S', 4194304, 9));
    expect(stat).toEqual({ state: 'S', flags: 4194304, startTime: '9001', exitStatus: 9 });
  });

  test('parsing: not a stat line: null', () => {
    for (const text of ['', '41', '41 (x)', '41 (x) S 1']) expect(parseProcStat(text)).toBeNull();
  });

  test('death: zombie, dead and exiting are dead, running, stopped and sleeping are not', () => {
    const dead = (state: string, flags: number) => {
      const stat = parseProcStat(line('x', state, flags, 0));
      return stat !== null && isDead(stat);
    };
    expect([dead('Z', 0), dead('X', 0), dead('R', 0x404004)]).toEqual([true, true, true]);
    expect([dead('R', 0x400000), dead('T', 0x400000), dead('S', 0), dead('D', 0)]).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });
});

describe('ending', () => {
  test('wait status: signals by name, exits by code', () => {
    const how = [9, 15, 6, 0x100, 0, 0x8b].map((status) => formatEnding(endingOfStatus(status)));
    expect(how).toEqual(['SIGKILL', 'SIGTERM', 'SIGABRT', 'exit 1', 'exit 0', 'SIGSEGV']);
  });

  test('cause: signals from outside are somebody\u2019s wish, crashes and exits its own, unless we had signalled it', () => {
    const cause = (how: string, sent = false) =>
      classifyCause(how.startsWith('SIG') ? { kind: 'signal', signal: how } : { kind: 'exit', code: 1 }, sent);
    expect(['SIGKILL', 'SIGTERM', 'SIGHUP'].map((how) => cause(how))).toEqual(['killed', 'killed', 'killed']);
    expect(['SIGABRT', 'SIGSEGV', 'SIGTRAP', 'exit'].map((how) => cause(how))).toEqual([
      'self',
      'self',
      'self',
      'self',
    ]);
    expect([cause('exit', true), cause('SIGABRT', true)]).toEqual(['killed', 'killed']);
    expect([false, true].map((sent) => classifyCause({ kind: 'unknown' }, sent))).toEqual(['unknown', 'killed']);
  });
});

describe('out of memory', () => {
  // As Node 20 to 26 write them.
  test.each([
    'FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory',
    'FATAL ERROR: Ineffective mark-compacts near heap limit Allocation failed - JavaScript heap out of memory',
  ])('%s: told by its line', (line) => expect(isOutOfMemory(line)).toBe(true));

  test('what an app writes about memory, or another fatal error: is none', () => {
    const lines = ['Error: out of memory', 'FATAL ERROR: v8::ToLocalChecked Empty MaybeLocal', 'heap out of memory?'];
    expect(lines.map(isOutOfMemory)).toEqual([false, false, false]);
  });
});

describe.runIf(process.platform === 'linux')('death proof', () => {
  test('SIGKILL: proven, with the signal', async () => {
    const { pid, child } = await run('setInterval(() => {}, 1e6)');
    const death = watched(pid, child);
    process.kill(pid, 'SIGKILL');
    expect(await death).toEqual({ kind: 'signal', signal: 'SIGKILL' });
  });

  test('SIGKILL: large heap: proven long before its memory is freed', async () => {
    const { pid, child } = await run('globalThis.b = Buffer.alloc(300e6, 1); setInterval(() => {}, 1e6)');
    const death = watched(pid);
    const at = performance.now();
    process.kill(pid, 'SIGKILL');
    await death;
    const provenMs = performance.now() - at;
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    expect(provenMs).toBeLessThanOrEqual(performance.now() - at);
  });

  test('exit: code 3 of its own', async () => {
    const { pid, child } = await run('process.stdin.on("data", () => process.exit(3))');
    const death = watched(pid, child);
    child.stdin?.write('x');
    expect(await death).toEqual({ kind: 'exit', code: 3 });
  });

  test('zombie: its parent has not reaped it: dead all the same', async () => {
    // sh becomes a sleep that never waits for the child it started before.
    const parent = spawn('sh', ['-c', 'sleep 30 & echo $!; exec sleep 30'], { stdio: ['ignore', 'pipe', 'ignore'] });
    children.push(parent);
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    // Until it has become that sleep it is a shell, which does reap.
    await vi.waitFor(() => expect(readFileSync(`/proc/${parent.pid}/comm`, 'utf8')).toBe('sleep\n'));
    const startTime = startTimeOf(pid);
    const death = watched(pid);
    process.kill(pid, 'SIGKILL');
    expect(await death).toEqual({ kind: 'signal', signal: 'SIGKILL' });
    expect(process.kill(pid, 0)).toBe(true);
    expect(isAlive(pid, startTime)).toBe(false);
  });

  test('SIGSTOP: a stopped process is alive', async () => {
    const { pid } = await run('setInterval(() => {}, 1e6)');
    let dead = false;
    const watch = new DeathWatch().watch(pid, () => {
      dead = true;
    });
    process.kill(pid, 'SIGSTOP');
    for (let look = 0; look < 20; look++) watch.look();
    expect(dead).toBe(false);
    expect(watch.startTime).toBe(startTimeOf(pid));
  });

  test('exit event: counts as proof, once', async () => {
    const { pid } = await run('setInterval(() => {}, 1e6)');
    const endings: Ending[] = [];
    const watch = new DeathWatch().watch(pid, (ending) => endings.push(ending));
    watch.exited(null, 'SIGTERM');
    watch.exited(1, null);
    watch.look();
    expect(endings).toEqual([{ kind: 'signal', signal: 'SIGTERM' }]);
  });

  test('start time: another process under the same pid is not the one that was meant', () => {
    expect(isAlive(process.pid, startTimeOf(process.pid))).toBe(true);
    expect(isAlive(process.pid, '1')).toBe(false);
  });
});

describe('a process that another one has started', () => {
  test('its pid and start time: watched, and its death is proven without an exit event', async () => {
    const { pid } = await run('setInterval(() => {}, 1000)');
    const ended = new Promise<Ending>((resolve) => {
      expect(new DeathWatch().adopt(pid, startTimeOf(pid), resolve)?.dead).toBe(false);
    });
    process.kill(pid, 'SIGKILL');
    // How it ended is lost when its parent has reaped it first.
    expect(['SIGKILL', 'unknown']).toContain(formatEnding(await ended));
  });

  test('the pid belongs to another process by now, or to none: not watched', async () => {
    const { pid, child } = await run('setInterval(() => {}, 1000)');
    expect(new DeathWatch().adopt(pid, '1', () => expect.unreachable())).toBeNull();
    const startTime = startTimeOf(pid);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(new DeathWatch().adopt(pid, startTime, () => expect.unreachable())).toBeNull();
  });
});
