import express from 'express';

const app = express();
app.set('trust proxy', 'loopback');
app.get('/', (req, res) => {
  const { ip, protocol, secure, hostname } = req;
  res.json({ ip, protocol, secure, hostname, address: server.address(), node: process.env.LIMPET_NODE });
});
const server = app.listen(process.env.PORT ?? 3000);
