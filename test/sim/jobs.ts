import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { addTally, emptyTally, type Tally } from './tally.ts';

export interface Play {
  readonly first: number;
  readonly seeds: number;
  readonly ticks: number;
  readonly jobs: number;
  readonly keepsLog: boolean;
  readonly progress: (tally: Tally) => void;
}

const childPath = fileURLToPath(new URL('./child.js', import.meta.url));

/** Plays seeds in processes of their own, and sums up what they tell. */
export async function playSeeds(play: Play): Promise<Tally> {
  const total = emptyTally();
  const jobs = Array.from({ length: Math.min(play.jobs, play.seeds) }, (_, job) => playJob(play, job, total));
  await Promise.all(jobs);
  total.failures.sort((a, b) => a.seed - b.seed);
  return total;
}

function playJob(play: Play, job: number, total: Tally): Promise<void> {
  const { first, seeds, ticks, jobs, keepsLog } = play;
  const given = [first + job, seeds - job, jobs, ticks, Number(keepsLog)];
  const child = fork(childPath, given.map(String), { stdio: ['ignore', 'inherit', 'pipe', 'ipc'] });
  let complaint = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  child.on('message', (tally) => {
    addTally(total, tally as Tally);
    play.progress(total);
  });
  return new Promise((resolve, reject) => {
    child.once('exit', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`a job ended with ${signal ?? code}\n${complaint}`));
    });
  });
}
