// `npm run load`: the load command is typed code of the demo package, this only finds it.
import { existsSync } from 'node:fs';

const load = new URL('../packages/demo/dist/load.js', import.meta.url);
if (existsSync(load)) await import(load.href);
else {
  console.error('load: not built yet: run npm run build first');
  process.exitCode = 1;
}
