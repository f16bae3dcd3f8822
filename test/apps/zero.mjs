import { createServer } from 'node:http';

const server = createServer((_req, res) => res.end(JSON.stringify({ address: server.address() })));
server.listen(0);
