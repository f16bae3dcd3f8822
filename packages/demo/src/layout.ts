import type { Facts } from './facts.ts';
import { type Html, html } from './html.ts';
import { nodeName } from './place.ts';
import type { Preferences } from './state.ts';

const links: readonly (readonly [path: string, name: string])[] = [
  ['/overview', 'Overview'],
  ['/balance', 'Balance'],
  ['/transactions', 'Transactions'],
  ['/transfer', 'Transfer'],
  ['/preferences', 'Preferences'],
];

const frame = (title: string, theme: Preferences['theme'], body: Html): string => `<!doctype html>
${html`<html lang="en" data-theme="${theme}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · Limpet demo</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/style.css">
<script src="/live.js" defer></script>
</head>
${body}
</html>`}
`;

/** A page of somebody who is not signed in; needs no session and makes none. */
export const openPage = (title: string, content: Html): string =>
  frame(
    title,
    'auto',
    html`<body>
<main id="main" class="narrow">${content}</main>
<footer><p class="chips"><span class="chip">answered by <b>${nodeName ?? 'this process'}</b></span></p></footer>
</body>`,
  );

const formatBytes = (bytes: number): string => (bytes < 1024 ? `${bytes} B` : `${(bytes / 1024).toFixed(1)} KB`);

/** Where this answer comes from; `live.js` keeps the first three up to date while the page stays open. */
const chips = (facts: Facts): Html => html`<p class="chips" id="chips">
<span class="chip" data-fact="node">answered by <b>${facts.node ?? 'this process'}</b></span>
<span class="chip" data-fact="copy"${facts.buddy === null ? html` hidden` : null}>copy on <b>${facts.buddy}</b></span>
<span class="chip" data-fact="session"${facts.version === null ? html` hidden` : null}>session version <b>${facts.version}</b>${
  facts.bytes === null ? null : html`, ${formatBytes(facts.bytes)}`
}</span>
<span class="chip ${facts.warm ? 'warm' : 'cold'}">${facts.told}</span>
</p>`;

/** A page of somebody who is signed in. */
export const page = (
  title: string,
  path: string,
  account: string,
  preferences: Preferences,
  facts: Facts,
  content: Html,
): string =>
  frame(
    title,
    preferences.theme,
    html`<body data-live="${facts.node ?? ''}">
<a class="skip" href="#main">Skip to the content</a>
<header>
<nav aria-label="Pages">${links.map(
      ([to, name]) => html`<a href="${to}"${to === path ? html` aria-current="page"` : null}>${name}</a>`,
    )}</nav>
<form method="post" action="/sign-out"><span class="who">${account}</span><button class="quiet">Sign out</button></form>
</header>
<p class="banner" id="banner" role="status"${facts.moved === null ? html` hidden` : null}>${facts.moved}</p>
<main id="main"><h1>${title}</h1>${content}</main>
<footer>${chips(facts)}</footer>
</body>`,
  );
