// A forked child and a worker thread that listen on their own: neither may take the node's socket.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

const self = fileURLToPath(import.meta.url);

async function listenAside(tell) {
  const server = createServer((_req, res) => res.end('aside'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  tell({ port: server.address().port, run: process.env.LIMPET_RUN ?? null });
}

if (!isMainThread) await listenAside((told) => parentPort.postMessage(told));
else if (process.send) {
  process.on('disconnect', () => process.exit());
  await listenAside((told) => process.send(told));
} else {
  const child = fork(self);
  const [fromChild] = await once(child, 'message');
  const thread = new Worker(self);
  const [fromThread] = await once(thread, 'message');
  const server = createServer((_req, res) => res.end(JSON.stringify({ fromChild, fromThread })));
  server.listen(process.env.PORT);
}
