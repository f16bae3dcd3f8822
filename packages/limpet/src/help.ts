import type { Command } from './command.ts';
import { environmentOf, flagOf, type OptionName, options } from './options.ts';

const widthMax = 100;
const indent = 28;
const nameWidth = 10;

/** Help of the whole command line. */
export function formatHelp(commands: readonly Command[], version: string): string {
  const lines = commands.map((one) => `  limpet ${one.name.padEnd(nameWidth)} ${one.summary}`);
  return [
    `limpet ${version}: sessions that come back to the process that holds them, and survive kill -9`,
    '',
    ...lines,
    '',
    '  limpet <command> --help   says more, with examples',
    '  limpet --version',
    '',
    'Most used: limpet start app.js, and in another terminal: limpet status, limpet kill n2, limpet stop.',
    '',
  ].join('\n');
}

/** Help of one command: what it does, its options out of the one table, examples. */
export function formatCommandHelp(command: Command): string {
  const own = command.flags.map((one) => entry(`${one.flag} ${one.placeholder}`.trim(), [one.means]));
  const fromTable = command.options.map((name) => formatOption(name));
  return [
    `limpet ${command.usage}`,
    '',
    ...wrap(command.about, 2),
    '',
    'Options',
    ...own,
    ...fromTable,
    entry('--help', ['This text.']),
    '',
    ...(command.options.length > 2
      ? [
          'Options come from the command line, else from the environment (the name in brackets), else from the',
          'configuration file (limpet.config.json or .mjs; keys like adminPort), else they have their default.',
          '',
        ]
      : []),
    'Examples',
    ...command.examples.flatMap(([line, means]) => [`  ${line}`, `      ${means}`]),
    '',
    'Exit codes: 0 well, 1 failed, 2 wrong usage.',
    '',
  ].join('\n');
}

function formatOption(name: OptionName): string {
  const { reader, byDefault, means, effect } = options[name];
  const unset = byDefault === null || byDefault === '';
  const facts = [
    unset ? 'Default: not set' : `Default: ${byDefault}`,
    `allowed: ${reader.allowed}`,
    ...(reader.unit === null ? [] : [`unit: ${reader.unit}`]),
  ];
  return entry(`${flagOf(name)} ${reader.placeholder}`, [
    means,
    effect,
    `${facts.join('; ')} [${environmentOf(name)}]`,
  ]);
}

function entry(head: string, paragraphs: readonly string[]): string {
  const [first = '', ...more] = paragraphs.flatMap((one) => wrap(one, indent + 2));
  const title = `  ${head}`;
  const start = title.length < indent + 1 ? [title.padEnd(indent + 2) + first.trimStart()] : [title, first];
  return [...start, ...more].join('\n');
}

function wrap(text: string, left: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && left + line.length + 1 + word.length > widthMax) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].map((one) => ' '.repeat(left) + one);
}
