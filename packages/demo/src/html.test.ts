import { expect, test } from 'vitest';
import { html } from './html.ts';

test('html: text from outside: escaped in text and in attributes', () => {
  const name = `<img src=x onerror="alert('1')">&`;
  expect(html`<p title="${name}">${name}</p>`.text).toBe(
    '<p title="&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;">' +
      '&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;</p>',
  );
});

test('html: parts that are html, lists and null: kept, joined, left out', () => {
  expect(html`<ul>${['a<', 'b'].map((item) => html`<li>${item}</li>`)}</ul>${null}${0}`.text).toBe(
    '<ul><li>a&lt;</li><li>b</li></ul>0',
  );
});
