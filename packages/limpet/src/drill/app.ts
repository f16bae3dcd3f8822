import { createServer } from 'node:http';

/** What a drill runs when it is given no app: the least that a cluster can serve. */
createServer((_, res) => res.end('limpet drill\n')).listen(Number(process.env.PORT ?? 3000));
