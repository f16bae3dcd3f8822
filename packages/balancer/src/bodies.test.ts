import { createHash, randomBytes } from 'node:crypto';
import { nodeIdAt } from '@limpet/core';
import { afterEach, describe, expect, test } from 'vitest';
import { get, raw, startNamed, TestCluster } from '../testing/harness.ts';

const n1 = nodeIdAt(1);
let cluster: TestCluster;
afterEach(() => cluster.close());

describe('bodies', () => {
  test('100 KB upload: held until the worker admits it, then streamed', async () => {
    cluster = new TestCluster({ nodes: 1 });
    let atAdmission = -1;
    const port = await cluster.start((request, response) => {
      expect(request.headers['limpet-admit']).toBe('1');
      let bytes = 0;
      const hash = createHash('sha256');
      request.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        hash.update(chunk);
      });
      request.on('end', () => response.end(hash.digest('hex')));
      setImmediate(() => {
        atAdmission = bytes;
        response.writeProcessing();
      });
    });
    const body = randomBytes(1_000_000);
    const answer = await raw(port, get('/', [`Content-Length: ${body.length}`], 'POST'), body);
    expect(answer.body).toBe(createHash('sha256').update(body).digest('hex'));
    expect(atAdmission).toBeLessThanOrEqual(2 * 65_536);
    expect(answer.text).not.toContain(' 102 ');
  });

  test('long upload refused with 421: sent whole to the next member', async () => {
    cluster = new TestCluster({ nodes: 2 });
    const port = await startNamed(cluster, (name) => (request, response) => {
      if (name === n1) {
        response.setHeader('limpet-view', '1.2');
        response.statusCode = 421;
        response.setHeader('limpet-verdict', 'not-executed');
        response.end();
        cluster.publishWithout([n1]);
        return;
      }
      response.writeProcessing();
      let bytes = 0;
      request.on('data', (chunk: Buffer) => (bytes += chunk.length));
      request.on('end', () => response.end(String(bytes)));
    });
    const body = randomBytes(300_000);
    const lines = [`Cookie: JSESSIONID=${cluster.sessionAt(n1)}`, 'Transfer-Encoding: chunked'];
    const chunked = Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')]);
    const answer = await raw(port, get('/', lines, 'POST'), chunked);
    expect(answer.body).toBe('300000');
  });

  test('early answer to a long upload: the client sees it', async () => {
    cluster = new TestCluster({ nodes: 1 });
    const port = await cluster.start((_, response) => {
      response.statusCode = 413;
      response.end('too large');
    });
    const body = Buffer.alloc(5_000_000);
    const answer = await raw(port, get('/', [`Content-Length: ${body.length}`], 'POST'), body);
    expect(answer.status).toBe(413);
    expect(answer.body).toBe('too large');
  });
});
