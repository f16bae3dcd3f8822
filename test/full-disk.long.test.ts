import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Cluster, startCluster, temporaryFolder } from './support/cluster.ts';
import { quiet } from './support/double-failure.ts';
import { eventOf } from './support/full-stop.ts';
import { createUsers, startLoad } from './support/load.ts';
import { waitUntil } from './support/wait-until.ts';

/** A cluster whose run directory is a disk of its own, of 4 MB: a mount that only its processes see. */
async function startOnSmallDisk(): Promise<{ readonly cluster: Cluster; readonly filler: string }> {
  const folder = temporaryFolder();
  const runDir = join(folder, '.limpet');
  mkdirSync(runDir, { mode: 0o700 });
  const script = 'mount -t tmpfs -o size=4m,mode=700 none "$0" && exec "$@"';
  const through = (command: readonly string[]) => ['unshare', '-Urm', 'sh', '-c', script, runDir, ...command];
  const cluster = await startCluster({ folder, through });
  return { cluster, filler: join(`/proc/${cluster.supervisor.pid}/root`, runDir, 'filler') };
}

/** Until the kernel says ENOSPC, to the last byte. */
function fill(path: string): void {
  const file = openSync(path, 'w');
  try {
    for (let size = 65_536; size >= 1; size = Math.floor(size / 2)) {
      const bytes = Buffer.alloc(size, 'x');
      expect(() => {
        for (;;) if (writeSync(file, bytes) === 0) break;
      }).toThrow('ENOSPC');
    }
  } finally {
    closeSync(file);
  }
}

test('the disk is full when a node dies: failed over and told; with room again the views are written again', async () => {
  const { cluster, filler } = await startOnSmallDisk();
  const users = await createUsers(cluster.url, 60);
  // A death's report counts by what the dead had said last: while sessions are being made that is only about right.
  await quiet(cluster, 60);
  const load = startLoad(users, 5);
  fill(filler);
  await cluster.kill('n2');
  await cluster.settled();
  const told = (): readonly string[] =>
    cluster.events.map(({ msg }) => String(msg)).filter((text) => text.includes('ENOSPC'));
  expect(told()).toContainEqual(expect.stringContaining('the view cannot be written to disk'));
  expect(eventOf(cluster, 'death')).toMatchObject({ node: 'n2', lost: 0 });

  rmSync(filler);
  const before = told().length;
  await cluster.kill('n3');
  await cluster.settled();
  expect(told()).toHaveLength(before);
  expect(await load.end()).toMatchObject({ lost: 0, doubled: 0, failedReads: 0 });
  expect(await cluster.stop()).toBe(0);
  expect(eventOf(cluster, 'sessions-saved')).toMatchObject({ sessions: 60, unsaved: 0 });
}, 120_000);

test('the disk is full at a stop: it ends all the same, and says how many sessions were not saved, and why', async () => {
  const { cluster, filler } = await startOnSmallDisk();
  await createUsers(cluster.url, 60);
  fill(filler);
  expect(await cluster.stop()).toBe(0);
  await waitUntil(() => cluster.pids().length === 0, { what: 'every process to be gone' });
  expect(eventOf(cluster, 'sessions-saved')).toMatchObject({
    sessions: 0,
    unsaved: 60,
    why: expect.stringContaining('ENOSPC'),
    msg: expect.stringMatching(/^60 sessions not saved/),
  });
}, 120_000);
