import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { type Answer, Client } from './client.ts';
import type { Cluster } from './cluster.ts';
import { waitUntil } from './wait-until.ts';

export const demoApp = fileURLToPath(new URL('../../packages/demo/dist/app.js', import.meta.url));

/** A transfer and its first answer. */
interface Made {
  readonly key: string;
  readonly cents: number;
  readonly answer: Answer;
}

/** Somebody signed in to the demo who transfers money, each order under a key of its own. */
export class Payer {
  readonly made: Made[] = [];
  /** Answers that were not the order's: what made it repeat, by status and outcome. */
  readonly repeatedAfter: string[] = [];
  /** An order is sent and not answered. */
  isWaiting = false;
  readonly #client: Client;
  #openingCents = 0;

  constructor(url: string) {
    this.#client = new Client(url);
  }

  async signIn(account: string): Promise<void> {
    await this.#post('/api/sign-in', { account });
    this.#openingCents = await this.balanceCents();
  }

  async balanceCents(): Promise<number> {
    return Number((await this.#client.get('/api/balance')).json().balanceCents);
  }

  async node(): Promise<string> {
    return String((await this.#client.get('/api/me')).json().node);
  }

  get expectedCents(): number {
    return this.made.reduce((left, { cents }) => left - cents, this.#openingCents);
  }

  /** So many orders, one after the other. */
  async transfers(count: number): Promise<void> {
    for (let order = 0; order < count; order += 1) await this.transfer(100 + this.made.length);
  }

  /** Sends the order until it is answered, as a client that knows nothing but its key. */
  async transfer(cents: number): Promise<void> {
    const key = randomUUID();
    this.isWaiting = true;
    const answer = await waitUntil(
      async () => {
        const got = await this.#order(key, cents);
        if (got?.status === 200) return got;
        this.repeatedAfter.push(got === null ? 'connection' : `${got.status} ${got.outcome}`);
        return null;
      },
      { what: `an answer to the transfer ${key}` },
    );
    this.isWaiting = false;
    this.made.push({ key, cents, answer: answer as Answer });
  }

  /** The answers to orders sent once more that differ from the first. */
  async repeatAll(): Promise<readonly string[]> {
    const wrong: string[] = [];
    for (const { key, cents, answer } of this.made) {
      const again = await this.#order(key, cents);
      if (again?.status !== answer.status || again.body !== answer.body)
        wrong.push(`${again?.status} ${again?.body} after ${answer.status} ${answer.body}`);
    }
    return wrong;
  }

  close(): void {
    this.#client.close();
  }

  #order(key: string, cents: number): Promise<Answer | null> {
    const order = {
      payee: 'Corner Bakery',
      amount: `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`,
    };
    return this.#post('/api/transfer', order, { 'idempotency-key': `"${key}"` }).catch(() => null);
  }

  #post(path: string, body: object, headers: { readonly [name: string]: string } = {}): Promise<Answer> {
    const options = { headers: { 'content-type': 'application/json', ...headers } };
    return this.#client.post(path, JSON.stringify(body), options);
  }
}

/** Steps of the moment at which a node is killed, counted from the first request of its round: within the life of a request. */
const momentStepMs = 0.5;

/**
 * In each of `rounds` starts `send` and kills the node that `victim` names while it is under way. The next round begins when every
 * session has its copies again.
 */
export async function sendThroughKills(
  cluster: Cluster,
  rounds: number,
  victim: (round: number) => Promise<string>,
  send: () => Promise<unknown>,
  atKill: () => void = () => {},
): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    let sending: Promise<unknown> = Promise.resolve();
    await cluster.kill(await victim(round), 'SIGKILL', async () => {
      sending = send();
      const killAt = performance.now() + round * momentStepMs;
      while (performance.now() < killAt) await new Promise(setImmediate);
      atKill();
    });
    await sending;
    await cluster.settled(30_000);
  }
}
