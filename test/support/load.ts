import { CounterCheck, type Tally, tallyOf } from './checker.ts';
import { type Answer, Client } from './client.ts';
import { spanOf } from './wait-until.ts';

/** One user of the counter app, whose every answer is checked. */
export interface User {
  readonly client: Client;
  readonly check: CounterCheck;
}

const orNull = (answer: Promise<Answer>): Promise<Answer | null> => answer.catch(() => null);

/** Makes `count` sessions, a few at a time; each has written once. */
export async function createUsers(url: string, count: number): Promise<readonly User[]> {
  const users: User[] = [];
  const make = async (): Promise<void> => {
    const user = { client: new Client(url), check: new CounterCheck() };
    users.push(user);
    user.check.wrote(await user.client.post('/api/counter'));
    if (user.client.cookies.size === 0) throw new Error('the first write set no cookie');
  };
  for (let made = 0; made < count; made += 20)
    await Promise.all(Array.from({ length: Math.min(20, count - made) }, make));
  return users;
}

/** Adds one and reads it back, checked. */
export async function writeOnce({ client, check }: User): Promise<void> {
  check.wrote(await orNull(client.post('/api/counter')));
}

export async function readOnce({ client, check }: User): Promise<void> {
  check.read(await orNull(client.get('/api/counter')));
}

export interface Load {
  /** Requests answered so far, whatever the answer. */
  readonly requests: number;
  /** GETs of `/api/me` that were not 200. */
  readonly otherFailures: number;
  /** Ends the load; resolves with the sums once every user has had the last answer and read the counter once more. */
  end(): Promise<Tally>;
}

/**
 * A closed loop per user: write, read the counter, read another page, and so on. `pauseMs`: a user's pause between two
 * requests; 0 is as fast as it goes, which on two cores starves the nodes that are being started.
 */
export function startLoad(users: readonly User[], pauseMs = 0): Load {
  let ended = false;
  let requests = 0;
  let otherFailures = 0;
  const loop = async (user: User, offset: number): Promise<void> => {
    for (let turn = offset; !ended; turn += 1) {
      requests += 1;
      if (turn % 3 === 0) await writeOnce(user);
      else if (turn % 3 === 1) await readOnce(user);
      else {
        const answer = await orNull(user.client.get('/api/me'));
        if (answer?.status !== 200) otherFailures += 1;
      }
      if (pauseMs > 0) await spanOf(pauseMs);
    }
    await readOnce(user);
  };
  const loops = users.map(loop);
  return {
    get requests() {
      return requests;
    },
    get otherFailures() {
      return otherFailures;
    },
    async end() {
      ended = true;
      await Promise.all(loops);
      for (const { client } of users) client.close();
      return tallyOf(users.map(({ check }) => check));
    },
  };
}
