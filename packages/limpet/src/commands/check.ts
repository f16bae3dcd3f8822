import { chooseCopy, ownCopy } from '../app-copy.ts';
import { resolveAppFile } from '../app-file.ts';
import { type Command, jsonFlag } from '../command.ts';
import { readEnvFiles } from '../env-file.ts';
import { formatTable } from '../format-table.ts';
import { optionNames } from '../options.ts';
import { loadSettings } from '../resolve-options.ts';

export const check: Command = {
  name: 'check',
  usage: 'check [file] [options]',
  summary: 'validates the settings and prints them resolved',
  about:
    'Reads flags, environment and configuration file as start would, reports every problem, and prints each setting with its origin. Starts nothing. With a file, the app file is looked at too.',
  words: [0, 1],
  wordName: 'a file',
  options: optionNames,
  flags: [jsonFlag],
  examples: [
    ['limpet check', 'the settings of this folder'],
    ['limpet check app.mjs --nodes auto --json', 'the same for a start with these flags, as JSON'],
  ],
  async run(call) {
    const { settings, origins, file } = await loadSettings(call);
    const app = call.words[0] === undefined ? null : resolveAppFile(call.words[0], call.folder);
    const note = app === null ? null : chooseCopy(app.file, ownCopy()).note;
    await readEnvFiles(settings.envFile);
    if (call.flags.has('--json')) {
      call.screen.out(JSON.stringify({ app: app?.file ?? null, configFile: file?.path ?? null, settings, origins }));
      return 0;
    }
    if (app !== null) call.screen.out(`app  ${app.file}`);
    if (file !== null) call.screen.out(`configuration file  ${file.path}`);
    if (note !== null) call.screen.out(note);
    const rows = optionNames.map((name) => [name, show(settings[name]), origins[name]]);
    for (const line of formatTable(['setting', 'value', 'from'], rows)) call.screen.out(line);
    return 0;
  },
};

const show = (value: unknown): string => {
  if (value === null) return '-';
  return Array.isArray(value) ? (value.length === 0 ? '-' : value.join(' ')) : String(value);
};
