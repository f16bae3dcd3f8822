import { createServer } from 'node:http';

const server = createServer((_req, res) => res.end(JSON.stringify({ address: server.address() })));
server.listen({ port: 3000, host: '127.0.0.1', exclusive: true });
