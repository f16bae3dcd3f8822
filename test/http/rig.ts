import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { nodeIdAt, type Welcome } from '@limpet/core';
import { type ClusterOptions, TestCluster } from '../../packages/balancer/testing/harness.ts';
import { RecordingUpstream } from './recording-upstream.ts';
import { type ReadAnswer, readAnswers } from './strict-reader.ts';

/** A client on a real socket that sends raw bytes and keeps what comes back. */
export class RawClient {
  readonly socket: Socket;
  text = '';
  isClosed = false;
  /** Methods of the requests it has sent, for reading the answers. */
  readonly methods: string[] = [];

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.on('data', (chunk) => {
      this.text += chunk.toString('latin1');
    });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.isClosed = true;
    });
  }

  send(text: string): void {
    if (!this.socket.destroyed) this.socket.write(text, 'latin1');
  }

  /** Sends each piece in a turn of its own, so that the balancer reads it by itself. */
  async sendPieces(pieces: readonly string[]): Promise<void> {
    for (const piece of pieces) {
      this.send(piece);
      await turn();
    }
  }

  get answers(): ReturnType<typeof readAnswers> {
    return readAnswers(this.text, this.methods, this.isClosed);
  }

  /** The next `count` final answers since the connection was opened. */
  async finals(count: number): Promise<readonly ReadAnswer[]> {
    await until(() => this.answers.finals.length >= count || this.isClosed);
    return this.answers.finals;
  }

  async closed(): Promise<void> {
    await until(() => this.isClosed);
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Looks this often at every turn; what takes longer waits for a clock, and need not be looked at so often. */
const eagerTurns = 500;

/** Waits for a condition that sockets of this process bring about; the test's own time limit bounds it. */
export async function until(isMet: () => boolean): Promise<void> {
  for (let turns = 0; !isMet(); turns++) await (turns < eagerTurns ? turn() : sleep(5));
}

type Log = NonNullable<ClusterOptions['log']>;

export interface RigOptions {
  readonly welcome?: Partial<Welcome>;
  /** Gets what the balancer logs, besides the rig. */
  readonly log?: Log;
}

/** The real balancer between raw clients and a recording upstream, which is its one worker. */
export class Rig {
  readonly cluster: TestCluster;
  readonly upstream = new RecordingUpstream();
  /** What the balancer logged as its own failure: always empty at the end. */
  readonly failures: unknown[] = [];
  port = 0;
  readonly #clients: RawClient[] = [];

  private constructor({ log, ...options }: RigOptions) {
    const both: Log = {
      warn: (...values: Parameters<Log['warn']>) => log?.warn(...values),
      error: (...values: Parameters<Log['error']>) => {
        this.failures.push(values);
        log?.error(...values);
      },
    };
    this.cluster = new TestCluster({ nodes: 1, log: both, ...options });
  }

  static async start(options: RigOptions = {}): Promise<Rig> {
    const rig = new Rig(options);
    await rig.upstream.listen(rig.workerPath);
    rig.port = await rig.cluster.start(null);
    return rig;
  }

  /** The Unix socket of its worker. */
  get workerPath(): string {
    return this.cluster.socketOf(nodeIdAt(1));
  }

  client(): RawClient {
    const client = new RawClient(this.port);
    this.#clients.push(client);
    return client;
  }

  /** One request on a connection of its own, to its first final answer or the connection's end. */
  async ask(text: string): Promise<RawClient & { readonly answer: ReadAnswer | undefined }> {
    const client = this.client();
    client.methods.push(text.slice(0, text.indexOf(' ')));
    client.send(text);
    const [answer] = await client.finals(1);
    return Object.assign(client, { answer });
  }

  async close(): Promise<void> {
    for (const { socket } of this.#clients) socket.destroy();
    await this.cluster.close();
    this.upstream.close();
  }
}
