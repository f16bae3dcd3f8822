// What cannot work behind the balancer; the argument says which.
import cluster, { fork } from 'node:cluster';
import http2 from 'node:http2';
import https from 'node:https';

const kinds = {
  https: () => https.createServer(() => {}).listen(3443),
  http2: () => http2.createServer(() => {}).listen(3000),
  cluster: () => cluster.fork(),
  fork: () => fork(),
};
kinds[process.argv[2]]();
