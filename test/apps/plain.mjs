// node:http in an ES module, on the port of the environment.
import { createServer } from 'node:http';

const server = createServer((req, res) => {
  res.setHeader('content-type', 'application/json');
  res.end(
    JSON.stringify({
      ip: req.socket.remoteAddress,
      localPort: req.socket.localPort,
      address: server.address(),
      node: process.env.LIMPET_NODE,
      run: process.env.LIMPET_RUN ?? null,
      internal: [...req.rawHeaders, ...Object.keys(req.headers), ...Object.keys(req.headersDistinct)].filter((text) =>
        text.toLowerCase().startsWith('limpet-'),
      ),
      names: Object.keys(req.headers),
    }),
  );
});
server.listen(process.env.PORT ?? 3000);
