#!/usr/bin/env node
// Plain old syntax up to the check, so that an old node says what it needs instead of failing to parse.
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`limpet: needs node 20.19 or later, this is ${process.versions.node}`);
  process.exit(2);
}
const { main } = await import('../dist/cli.js').catch((error) => {
  if (error.code !== 'ERR_MODULE_NOT_FOUND' || !error.message.includes('dist')) throw error;
  console.error('limpet: not built yet; run npm run build');
  process.exit(1);
});
process.exitCode = await main(process.argv.slice(2));
// Whatever may still hold the process open, a socket or a timer, it has nothing left to do.
setTimeout(() => process.exit(), 500).unref();
