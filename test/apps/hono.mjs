import { serve } from '@hono/node-server';
import { Hono } from 'hono';

const app = new Hono();
app.get('/', (c) =>
  c.json({
    ip: c.env.incoming.socket.remoteAddress,
    address: server.address(),
    node: process.env.LIMPET_NODE,
    forwarded: c.req.header('x-forwarded-for'),
  }),
);
const server = serve({ fetch: app.fetch, port: 3000 });
