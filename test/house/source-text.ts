/**
 * A source file without what only looks like code: comments become blanks, strings and regular expressions become
 * numbered marks. Positions and line breaks are kept. Own and small, because the compiler has no API to ask.
 */
export interface SourceText {
  /** The code; a string literal stands as `"7"`: the index of its value in `strings`. */
  readonly code: string;
  readonly strings: readonly string[];
  /** Code and strings, without comments: what the words in the file really are. */
  readonly withoutComments: string;
}

const beforeRegex = /(?:^|[=(,;:!&|?{}[+\-*%~^<>]|\b(?:return|typeof|case|in|of|do|else|void|delete|await|yield))$/;

/** Where the quoted text opened at `from` ends (index of the closing quote, or the end of the text). */
function endOfQuoted(text: string, from: number, quote: string): number {
  for (let i = from + 1; i < text.length; i += 1) {
    if (text[i] === '\\') i += 1;
    else if (text[i] === quote) return i;
    else if (text[i] === '\n' && quote !== '`') return i;
  }
  return text.length;
}

function endOfRegex(text: string, from: number): number {
  let inClass = false;
  for (let i = from + 1; i < text.length; i += 1) {
    const char = text[i];
    if (char === '\\') i += 1;
    else if (char === '[') inClass = true;
    else if (char === ']') inClass = false;
    else if (char === '\n') return -1;
    else if (char === '/' && !inClass) return i;
  }
  return -1;
}

const blank = (text: string): string => text.replace(/[^\n]/g, ' ');

/** Separates code, strings and comments of a TypeScript or JavaScript file. */
export function readSource(text: string): SourceText {
  const strings: string[] = [];
  let code = '';
  let withoutComments = '';
  // One entry per open template literal: how many braces are open inside its current `${`.
  const templates: number[] = [];

  const addString = (value: string): void => {
    const mark = `"${strings.length}"`;
    strings.push(value);
    code += mark + blank(value).replace(/ +/g, '');
    withoutComments += value;
  };
  /** Reads template text from `from` up to its end or the next `${`; returns the index after it. */
  const readTemplate = (from: number): number => {
    let i = from;
    while (i < text.length && text[i] !== '`' && !(text[i] === '$' && text[i + 1] === '{'))
      i += text[i] === '\\' ? 2 : 1;
    addString(text.slice(from, i));
    if (text[i] === '$') {
      templates.push(0);
      return i + 2;
    }
    return i + 1;
  };

  let i = 0;
  while (i < text.length) {
    const char = text[i] as string;
    const next = text[i + 1];
    const depth = templates.at(-1);
    if (char === '/' && next === '/') {
      const end = text.indexOf('\n', i);
      i = end < 0 ? text.length : end;
    } else if (char === '/' && next === '*') {
      const end = text.indexOf('*/', i + 2);
      const comment = text.slice(i, end < 0 ? text.length : end + 2);
      code += blank(comment).replace(/ +/g, ' ');
      withoutComments += blank(comment).replace(/ +/g, ' ');
      i += comment.length;
    } else if (char === '#' && next === '!' && i === 0) {
      const end = text.indexOf('\n');
      i = end < 0 ? text.length : end;
    } else if (char === '"' || char === "'") {
      const end = endOfQuoted(text, i, char);
      addString(text.slice(i + 1, end));
      i = end + 1;
    } else if (char === '`') {
      i = readTemplate(i + 1);
    } else if (char === '/' && beforeRegex.test(code.trimEnd().slice(-12)) && endOfRegex(text, i) > 0) {
      const end = endOfRegex(text, i);
      addString(text.slice(i + 1, end));
      i = end + 1;
    } else if (char === '}' && depth === 0) {
      templates.pop();
      i = readTemplate(i + 1);
    } else {
      if (depth !== undefined && char === '{') templates[templates.length - 1] = depth + 1;
      if (depth !== undefined && char === '}') templates[templates.length - 1] = depth - 1;
      code += char;
      withoutComments += char;
      i += 1;
    }
  }
  return { code, strings, withoutComments };
}

// `from "3"` after import or export, a bare `import "3"`, `import("3")` (types too), `require("3")`.
const importPatterns = [
  /\b(?:import|export)\b[^;"'()]*?\bfrom\s*"(\d+)"/g,
  /\bimport\s*"(\d+)"/g,
  /\bimport\s*\(\s*"(\d+)"/g,
  /\brequire\s*\(\s*"(\d+)"/g,
];

/** What a file imports or re-exports, types included, in no particular order. */
export function importsOf(text: string): readonly string[] {
  const { code, strings } = readSource(text);
  const found = new Set<string>();
  for (const pattern of importPatterns) {
    for (const match of code.matchAll(pattern)) {
      const value = strings[Number(match[1])];
      if (value !== undefined) found.add(value);
    }
  }
  return [...found];
}
