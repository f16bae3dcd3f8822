import { join } from 'node:path';
import type { ClusterOptions } from './options.ts';
import { OutputFile, OutputFollower } from './output.ts';
import { DeathWatch } from './proc.ts';
import { type LeftTable, ProcessTable } from './process-table.ts';
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

  /** Told of what went wrong and did no harm to the cluster. */
  readonly trouble: (why: string) => void;

  constructor(parts: Pick<Places, 'options' | 'run' | 'sockets' | 'trouble'> & { readonly left: LeftTable }) {
    this.options = parts.options;
    this.run = parts.run;
    this.sockets = parts.sockets;
    this.trouble = parts.trouble;
    this.table = new ProcessTable(parts.run.processes, parts.trouble, parts.left);
  }

  /** The followed output file of the process `name`. */
  openOutput(name: string, onLine: (line: string) => void): OutputFile {
    const file = new OutputFile(this.logOf(name), onLine);
    this.follower.add(file);
    return file;
  }

  /** Neither follows output nor looks at processes any more. */
  close(): void {
    this.follower.close();
    this.watch.close();
  }

  logOf(name: string): string {
    return join(this.run.logs, `${name}.log`);
  }
}
