// node:http in CommonJS, on a port of its own, with a callback.
const { createServer } = require('node:http');

const server = createServer((req, res) => {
  res.writeHead(200, { 'content-type': 'application/json' });
  res.end(JSON.stringify({ ip: req.socket.remoteAddress, address: server.address(), node: process.env.LIMPET_NODE }));
});
server.listen(3000, () => {
  // Told in the callback, as everybody prints it.
  process.stdout.write(`listening on ${server.address().port}\n`);
});
