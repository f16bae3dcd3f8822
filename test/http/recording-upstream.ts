import { createServer, type Server, type Socket } from 'node:net';
import { type ReadRequest, readRequest, valuesOf } from './strict-reader.ts';

/** One connection of the balancer: every byte that came, as latin1, and what the strict reader makes of it. */
export class UpstreamConnection {
  readonly socket: Socket;
  /** Every piece, as it came. */
  readonly pieces: string[] = [];
  /** What came after the last whole request. */
  rest = '';
  /** The bytes of the last whole request. */
  last = '';
  /** Why its bytes are no HTTP. Nothing on it is answered from then on. */
  fault: string | null = null;
  isClosed = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('close', () => {
      this.isClosed = true;
    });
  }

  /** Whether a request has begun and not ended. */
  get isMidway(): boolean {
    return this.fault === null && this.rest !== '';
  }

  get bytes(): string {
    return this.pieces.join('');
  }

  /** Sends these bytes as they are. */
  send(text: string): void {
    this.socket.write(text, 'latin1');
  }
}

/** The request id that a worker must echo. */
export const idOf = (request: ReadRequest): string => valuesOf(request.fields, 'limpet-request')[0] ?? '';

/** An answer as a worker sends it. */
export function answerTo(request: ReadRequest, body: string, lines: readonly string[] = [], status = '200 OK'): string {
  const head = [`HTTP/1.1 ${status}`, `limpet-request: ${idOf(request)}`, 'limpet-view: 1.1', ...lines];
  return `${[...head, `Content-Length: ${body.length}`, '', ''].join('\r\n')}${request.method === 'HEAD' ? '' : body}`;
}

/** What a worker does with a whole request. */
export type Script = (request: ReadRequest, connection: UpstreamConnection) => void;

/** Answers with method and target: every request's answer is its own. */
export const answerWithTarget: Script = (request, connection) =>
  connection.send(answerTo(request, `${request.method} ${request.target}`));

/** A worker of raw bytes on a real Unix socket: records what comes and sends what its script says. */
export class RecordingUpstream {
  connections: UpstreamConnection[] = [];
  /** Every whole request of all connections, in the order they came. */
  readonly requests: ReadRequest[] = [];
  readonly #pieces: string[] = [];
  script: Script = answerWithTarget;
  /** Called with every connection, and with every piece of a request before it is whole. */
  onConnection: (connection: UpstreamConnection) => void = () => {};
  onBytes: (connection: UpstreamConnection) => void = () => {};
  readonly #server: Server;

  constructor() {
    this.#server = createServer((socket) => {
      const connection = new UpstreamConnection(socket);
      this.connections.push(connection);
      socket.on('data', (chunk) => {
        const text = chunk.toString('latin1');
        connection.pieces.push(text);
        this.#pieces.push(text);
        connection.rest += text;
        this.onBytes(connection);
        this.#read(connection);
      });
      this.onConnection(connection);
    });
  }

  listen(path: string): Promise<void> {
    return new Promise((resolve) => this.#server.listen(path, resolve));
  }

  close(): void {
    this.#server.close();
    for (const { socket } of this.connections) socket.destroy();
  }

  /** Every byte of all connections, in the order they came. */
  get bytes(): string {
    return this.#pieces.join('');
  }

  /** Forgets what has come until now, and connections that are closed. */
  forget(): void {
    this.requests.length = 0;
    this.#pieces.length = 0;
    this.connections = [...this.open];
    for (const { pieces } of this.connections) pieces.length = 0;
  }

  /** Connections that the balancer may use again. */
  get open(): readonly UpstreamConnection[] {
    return this.connections.filter((connection) => !connection.isClosed);
  }

  #read(connection: UpstreamConnection): void {
    while (connection.fault === null && connection.rest !== '') {
      const reading = readRequest(connection.rest);
      if (reading.kind === 'incomplete') return;
      if (reading.kind === 'invalid') {
        connection.fault = reading.why;
        connection.socket.destroy();
        return;
      }
      connection.last = connection.rest.slice(0, reading.end);
      connection.rest = connection.rest.slice(reading.end);
      this.requests.push(reading.message);
      this.script(reading.message, connection);
    }
  }
}
