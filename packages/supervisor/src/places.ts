import { join } from 'node:path';
import type { ClusterOptions } from './options.ts';
import { OutputFile, OutputFollower } from './output.ts';
import { DeathWatch } from './proc.ts';
import { ProcessTable } from './process-table.ts';
import type { RunDirectory } from './run-directory.ts';

/** What every process that is started has to do with: folders, output, the watch over its life, the table on disk. */
export class Places {
  readonly options: ClusterOptions;
  readonly run: RunDirectory;
  /** The sockets folder. */
  readonly sockets: string;
  readonly watch = new DeathWatch();
  readonly table: ProcessTable;
  readonly follower = new OutputFollower();

  constructor(options: ClusterOptions, run: RunDirectory, sockets: string, onTrouble: (why: string) => void) {
    this.options = options;
    this.run = run;
    this.sockets = sockets;
    this.table = new ProcessTable(run.processes, onTrouble);
  }

  /** The followed output file of the process `name`. */
  openOutput(name: string, onLine: (line: string) => void): OutputFile {
    const file = new OutputFile(this.logOf(name), onLine);
    this.follower.add(file);
    return file;
  }

  logOf(name: string): string {
    return join(this.run.logs, `${name}.log`);
  }
}
