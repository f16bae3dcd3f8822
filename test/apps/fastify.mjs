import fastify from 'fastify';

const app = fastify({ trustProxy: 'loopback' });
app.get('/', (req) => {
  const { ip, protocol, hostname } = req;
  return { ip, protocol, hostname, address: app.server.address(), node: process.env.LIMPET_NODE };
});
// Its default host is localhost: a server each for ::1 and 127.0.0.1.
await app.listen({ port: 3000 });
