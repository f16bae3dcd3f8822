import { existsSync } from 'node:fs';

/** The repository, as a URL with a slash at its end: from the source and from what is built of it alike. */
export const root = findRoot(new URL('./', import.meta.url));

function findRoot(folder: URL): URL {
  if (existsSync(new URL('package-lock.json', folder))) return folder;
  const above = new URL('../', folder);
  if (above.href === folder.href) throw new Error('this file is not in the repository');
  return findRoot(above);
}
