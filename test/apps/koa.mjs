import Koa from 'koa';

const app = new Koa();
app.proxy = true;
app.use((ctx) => {
  const { ip, protocol, secure, hostname } = ctx;
  ctx.body = { ip, protocol, secure, hostname, address: server.address(), node: process.env.LIMPET_NODE };
});
const server = app.listen(3000);
