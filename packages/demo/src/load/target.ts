import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

const defaultUrl = 'http://127.0.0.1:8080';

/** Where the app is: as asked, else as the running cluster wrote into its run directory, else the default. */
export async function findTarget(url: string | null, runDir: string): Promise<string> {
  if (url !== null) return url;
  const text = await readFile(join(runDir, 'cluster.json'), 'utf8').catch(() => '{}');
  const found: unknown = parse(text)?.url;
  return typeof found === 'string' && URL.canParse(found) ? found : defaultUrl;
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** Why the app at `url` cannot be loaded, or null when it has a counter. */
export async function refuseTarget(url: string): Promise<string | null> {
  try {
    const response = await fetch(new URL('/api/counter', url), { signal: AbortSignal.timeout(15_000) });
    if (response.ok) return null;
    return `${url}/api/counter answers ${response.status}: this load needs the demo app`;
  } catch {
    return `nothing answers at ${url}: start a cluster with npm start, or name another with --url`;
  }
}
