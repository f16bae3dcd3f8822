const express = require('express4');

const app = express();
app.set('trust proxy', 'loopback');
app.get('/', (req, res) => {
  const { ip, protocol, secure, hostname } = req;
  res.json({ ip, protocol, secure, hostname, address: server.address(), node: process.env.LIMPET_NODE });
});
const server = app.listen(3000, '0.0.0.0', () => {});
