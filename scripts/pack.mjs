// One tarball, limpet-<version>.tgz: the published package with the other workspaces inside (docs/decisions/0002).
// npm itself packs; this only lays out a folder in which nothing is a link and every manifest says what is true outside.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const stage = join(root, 'dist', 'pack', 'package');
const own = '@limpet/';

const read = (folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
const write = (folder, manifest) =>
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);

/** Built files only: maps would point at sources that are not there. */
function copyBuilt(from, to) {
  cpSync(join(from, 'dist'), join(to, 'dist'), {
    recursive: true,
    filter: (path) => !/\.map$|\.tsbuildinfo$|\.test\.(js|d\.ts)$/.test(path),
  });
  for (const entry of readdirSync(join(to, 'dist'), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !/\.(js|d\.ts)$/.test(entry.name)) continue;
    const path = join(entry.parentPath, entry.name);
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replace(/^\/\/# sourceMappingURL=.*\n?/m, ''));
  }
}

/** The workspaces that `manifest` needs, and those that they need: by name, each once. */
function bundledOf(manifest, found = new Map()) {
  for (const name of Object.keys(manifest.dependencies ?? {}).filter((one) => one.startsWith(own))) {
    if (found.has(name)) continue;
    const folder = join(root, 'packages', name.slice(own.length));
    const inner = read(folder);
    found.set(name, { folder, manifest: inner });
    bundledOf(inner, found);
  }
  return found;
}

/** Dependencies from the registry, of the face and of everything inside it; two ranges for one package are refused. */
function outsideOf(manifests) {
  const ranges = new Map();
  for (const { name, dependencies = {} } of manifests) {
    for (const [wanted, range] of Object.entries(dependencies)) {
      if (wanted.startsWith(own)) continue;
      const known = ranges.get(wanted);
      if (known && known !== range)
        throw new Error(`${name} wants ${wanted} ${range}, another workspace wants ${known}`);
      ranges.set(wanted, range);
    }
  }
  return Object.fromEntries([...ranges].sort(([a], [b]) => a.localeCompare(b)));
}

const face = join(root, 'packages', 'limpet');
const manifest = read(face);
const bundled = bundledOf(manifest);
const outside = outsideOf([manifest, ...[...bundled.values()].map((one) => one.manifest)]);

rmSync(stage, { recursive: true, force: true });
mkdirSync(stage, { recursive: true });
copyBuilt(face, stage);
cpSync(join(face, 'bin'), join(stage, 'bin'), { recursive: true });
for (const name of ['README.md', 'LICENSE']) {
  if (existsSync(join(root, name))) cpSync(join(root, name), join(stage, name));
}
for (const [name, inner] of bundled) {
  const folder = join(stage, 'node_modules', name);
  mkdirSync(folder, { recursive: true });
  copyBuilt(inner.folder, folder);
  // Its own needs are met by the face's: with them npm would look for the other workspaces in the registry.
  const { dependencies: _, devDependencies: __, ...rest } = inner.manifest;
  write(folder, rest);
}
write(stage, {
  ...manifest,
  dependencies: { ...outside, ...Object.fromEntries([...bundled].map(([name, { manifest: m }]) => [name, m.version])) },
  bundleDependencies: [...bundled.keys()],
});

const { out = root } = parseArgs({ options: { out: { type: 'string' } } }).values;
const npm = process.env.npm_execpath;
const [command, first] = npm ? [process.execPath, [npm]] : ['npm', []];
execFileSync(command, [...first, 'pack', '--silent', '--ignore-scripts', '--pack-destination', resolve(out)], {
  cwd: stage,
  stdio: ['ignore', 'inherit', 'inherit'],
});
