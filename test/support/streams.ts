import { request as httpRequest, type IncomingMessage } from 'node:http';

/** A GET whose pieces are seen as they come. */
export function openStream(
  url: string | URL,
  headers: { readonly [name: string]: string } = {},
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(url, { agent: false, headers }, resolve);
    outgoing.once('error', reject);
    outgoing.end();
  });
}

export interface ServerEvent {
  readonly data: { readonly [key: string]: unknown };
  /** Milliseconds since the epoch at which its last byte arrived. */
  readonly arrivedAt: number;
}

/** The events of an event stream, with the time each arrived. */
export async function* eventsOf(stream: IncomingMessage): AsyncGenerator<ServerEvent> {
  let text = '';
  for await (const piece of stream.setEncoding('utf8')) {
    const arrivedAt = Date.now();
    text += piece;
    for (let at = text.indexOf('\n\n'); at >= 0; at = text.indexOf('\n\n')) {
      const line = text.slice(0, at);
      text = text.slice(at + 2);
      yield { data: JSON.parse(line.replace(/^data: /, '')), arrivedAt };
    }
  }
}

/** Reads to the end; how many bytes came. */
export async function drain(stream: IncomingMessage): Promise<number> {
  let bytes = 0;
  for await (const piece of stream) bytes += piece.length;
  return bytes;
}

const piece = Buffer.alloc(64 * 1024, 'u');

/** Uploads that many megabytes, never more than the connection takes; the parsed JSON answer. */
export function upload(url: string | URL, megabytes: number): Promise<{ readonly bytes: number }> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-length': megabytes * 2 ** 20 };
    const outgoing = httpRequest(url, { agent: false, method: 'POST', headers }, async (incoming) => {
      let text = '';
      for await (const part of incoming.setEncoding('utf8')) text += part;
      if (incoming.statusCode === 200) resolve(JSON.parse(text));
      else reject(new Error(`upload: ${incoming.statusCode} ${text}`));
    });
    outgoing.once('error', reject);
    let left = megabytes * 16;
    const send = (): void => {
      while (left > 0) {
        left -= 1;
        if (!outgoing.write(piece)) {
          outgoing.once('drain', send);
          return;
        }
      }
      outgoing.end();
    };
    send();
  });
}
