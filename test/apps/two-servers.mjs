// Metrics first, on a port of their own, and the app only when its database is there.
import { once } from 'node:events';
import { createServer, get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const metrics = createServer((_req, res) => res.end('metrics'));
metrics.listen(9464);
await once(metrics, 'listening');
if (process.argv.includes('--late')) await sleep(600);

const app = createServer((_req, res) => {
  const { port } = metrics.address();
  get({ port, host: '127.0.0.1' }, async (answer) => {
    let text = '';
    for await (const piece of answer) text += piece;
    res.end(JSON.stringify({ metrics: text, metricsPort: port, address: app.address() }));
  });
});
app.listen(process.env.PORT);
