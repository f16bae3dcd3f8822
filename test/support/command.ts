import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const limpetBin = fileURLToPath(new URL('../../packages/limpet/bin/limpet.js', import.meta.url));

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly folder?: string;
  readonly env?: { readonly [name: string]: string };
  readonly timeoutMs?: number;
}

/** Runs any program to its end. Never rejects for an exit code. */
export function runCommand(
  file: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd: options.folder,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: options.timeoutMs ?? 30_000,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** Runs a `limpet` command to its end. */
export const runLimpet = (args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> =>
  runCommand(process.execPath, [limpetBin, ...args], options);
