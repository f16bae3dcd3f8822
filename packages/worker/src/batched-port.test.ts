import { once } from 'node:events';
import { MessageChannel } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { BatchedPort } from './batched-port.ts';

test('messages of one turn, then of another: two batches, in order, nothing twice', async () => {
  const { port1, port2 } = new MessageChannel();
  const port = new BatchedPort<number>(port1);
  port.post(1);
  port.post(2);
  const first: unknown[] = await once(port2, 'message');
  port.post(3);
  const second: unknown[] = await once(port2, 'message');
  port1.close();
  expect([...first, ...second]).toEqual([[1, 2], [3]]);
});
