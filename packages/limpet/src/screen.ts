import { styleText } from 'node:util';
import type { LimpetError } from '@limpet/core';

type Style = Parameters<typeof styleText>[0];

/** Where text goes, and whether people or programs read it. */
export interface Screen {
  /** One line to standard output. */
  out(line: string): void;
  /** One line to standard error. */
  err(line: string): void;
  /** Coloured on a terminal, as it is elsewhere. */
  paint(style: Style, text: string): string;
  readonly isTerminal: boolean;
}

/** https://no-color.org: any non-empty NO_COLOR means none; a dumb terminal has none. */
export function wantsColour(environment: Readonly<Record<string, string | undefined>>, isTerminal: boolean): boolean {
  return isTerminal && !environment.NO_COLOR && environment.TERM !== 'dumb';
}

export function openScreen(environment: Readonly<Record<string, string | undefined>>): Screen {
  const isTerminal = process.stdout.isTTY === true;
  const colour = wantsColour(environment, isTerminal);
  // A reader that went away (`| head`) or a closed terminal must not end the cluster: EPIPE and EIO are dropped.
  process.stdout.on('error', () => {});
  process.stderr.on('error', () => {});
  return {
    out: (line) => void process.stdout.write(`${line}\n`),
    err: (line) => void process.stderr.write(`${line}\n`),
    paint: (style, text) => (colour ? styleText(style, text) : text),
    isTerminal,
  };
}

/** The line of an error: what happened, and its stable code. */
export const formatError = ({ message, code }: LimpetError, screen: Pick<Screen, 'paint'>): string =>
  `${screen.paint('red', 'limpet:')} ${message} [${code}]`;
