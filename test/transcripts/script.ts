/** The text of a transcript: blocks of comments, commands and, under a line of dashes, what they led to. */

export interface Block {
  /** Lines that begin with `#`, as they are. */
  readonly comments: readonly string[];
  readonly commands: readonly string[];
  readonly output: readonly string[];
}

const divider = '----';

/** Blocks stand apart by empty lines. Throws for a block whose commands have no line of dashes under them. */
export function parseScript(text: string): readonly Block[] {
  return text
    .split(/\n{2,}/)
    .map((part) => part.replace(/^\n+|\n+$/g, ''))
    .filter((part) => part !== '')
    .map(parseBlock);
}

function parseBlock(part: string): Block {
  const lines = part.split('\n');
  const begin = lines.findIndex((line) => !line.startsWith('#'));
  if (begin < 0) return { comments: lines, commands: [], output: [] };
  const end = lines.indexOf(divider);
  if (end < 0) throw new Error(`no line of dashes under "${lines[begin]}"`);
  return { comments: lines.slice(0, begin), commands: lines.slice(begin, end), output: lines.slice(end + 1) };
}

export function formatScript(blocks: readonly Block[]): string {
  const parts = blocks.map(({ comments, commands, output }) =>
    commands.length === 0 ? comments.join('\n') : [...comments, ...commands, divider, ...output].join('\n'),
  );
  return `${parts.join('\n\n')}\n`;
}
