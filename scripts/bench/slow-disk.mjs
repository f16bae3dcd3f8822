// Loaded ahead of a cluster's processes: every fsync takes `SLOW_DISK_MS` longer, and blocks as a real one does.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const { fsyncSync } = fs;
const ms = Number(process.env.SLOW_DISK_MS ?? 0);
const nobody = new Int32Array(new SharedArrayBuffer(4));

fs.fsyncSync = (fd) => {
  fsyncSync(fd);
  Atomics.wait(nobody, 0, 0, ms);
};
syncBuiltinESMExports();
