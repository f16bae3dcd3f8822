import { LimpetError } from '@limpet/core';
import { expect, test } from 'vitest';
import { socketPath, socketPathBytesMax } from './socket-path.ts';

const folderOf = (bytes: number) => `/${'x'.repeat(bytes - 1)}`;

test('socket path: 100 bytes: given; 101: refused, with the path and both numbers', () => {
  expect(socketPath(folderOf(98), 'c')).toHaveLength(socketPathBytesMax);
  expect(() => socketPath(folderOf(99), 'c')).toThrow(LimpetError);
  expect(() => socketPath(folderOf(99), 'c')).toThrow(/\/x+\/c has 101 bytes, more than 100/);
});

test('socket path: 60 characters of two bytes: counted in bytes', () => {
  expect(() => socketPath('/tmp', 'ö'.repeat(60))).toThrow('125 bytes');
});
