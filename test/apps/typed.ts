import { createServer, type Server } from 'node:http';

interface Answer {
  readonly node: string | undefined;
  readonly address: unknown;
}

const server: Server = createServer((_req, res) => {
  const answer: Answer = { node: process.env.LIMPET_NODE, address: server.address() };
  res.end(JSON.stringify(answer));
});
server.listen(Number(process.env.PORT ?? 3000));
