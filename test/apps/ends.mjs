// Ends in every way a worker can.
import { createServer } from 'node:http';

const pages = {
  '/exit': () => process.exit(3),
  '/throw': () =>
    setImmediate(() => {
      throw new TypeError('thrown on purpose\nsecond line');
    }),
  '/slow': (res) => setTimeout(() => res.end('slow'), 900),
  '/hang': () => {},
};
const server = createServer((req, res) => (pages[req.url] ?? (() => res.end('ok')))(res));
server.listen(process.env.PORT);
if (process.argv.includes('--sigterm')) {
  process.on('SIGTERM', () => {
    process.stdout.write('the app ends\n');
    server.close(() => process.exit(0));
  });
}
