import { nodeIdAt } from '@limpet/core';
import { expect, test } from 'vitest';
import { MemberLinks } from './member-links.ts';

const n1 = nodeIdAt(1);

test('member links: introductions read in the wrong order: the later incarnation stays, whatever ends', () => {
  const links = new MemberLinks<string>();
  links.introduce(n1, 2, 'second');
  links.introduce(n1, 1, 'first');
  expect(links.to(n1)).toBe('second');
  links.ended(n1, 'first');
  expect(links.to(n1)).toBe('second');
  links.introduce(n1, 2, 'dialled again');
  links.ended(n1, 'second');
  expect(links.to(n1)).toBe('dialled again');
  links.ended(n1, 'dialled again');
  expect(links.to(n1)).toBeUndefined();
});
