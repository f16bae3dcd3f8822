import { createHash } from 'node:crypto';
import type { DeathReport } from './events.ts';
import type { NodeStatus, Status } from './status.ts';

const style = `
:root { color-scheme: light dark; --ink: #1c2b33; --soft: #5b6b73; --line: #d9e0e3; --paper: #f7f9f9; --card: #fff; --good: #1a7f4b; --wait: #9a6700; --bad: #b3261e }
@media (prefers-color-scheme: dark) { :root { --ink: #e4ecef; --soft: #93a4ac; --line: #2b3a42; --paper: #10181c; --card: #172228; --good: #4cc38a; --wait: #e0b03c; --bad: #ff8a80 } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif }
main { max-width: 62rem; margin: 0 auto; padding: 2rem 1rem }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1rem; margin: 2rem 0 .5rem } p { margin: .25rem 0; color: var(--soft) }
a { color: inherit } code { font-family: ui-monospace, monospace; font-size: .9em }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: .5rem }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: right; padding: .45rem .8rem; border-top: 1px solid var(--line); white-space: nowrap }
th { border-top: 0; color: var(--soft); font-weight: 500; font-size: .85em } th:first-child, td:first-child, .text { text-align: left }
.alive { color: var(--good) } .starting, .suspect { color: var(--wait) } .dead { color: var(--bad) } .text { white-space: normal }
ol { list-style: none; margin: 0; padding: .3rem .8rem } li { padding: .3rem 0 }
`;

/** Fetches the page anew and swaps its content: no flicker, and the place on the page stays. */
const script = `
setInterval(async () => {
  try {
    const text = await (await fetch('/')).text();
    const page = new DOMParser().parseFromString(text, 'text/html');
    document.querySelector('main').replaceWith(page.querySelector('main'));
    document.body.style.opacity = 1;
  } catch { document.body.style.opacity = 0.5 }
}, 1000);
`;

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** Only this page's own style and script run; nothing is loaded from anywhere, and nobody may frame it. */
export const contentPolicy = [
  "default-src 'none'",
  `style-src ${hashOf(style)}`,
  `script-src ${hashOf(script)}`,
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The status page. Everything that comes from outside (file names, errors of the app) is escaped. */
export function renderPage(status: Status): string {
  const view = status.view === null ? 'no view yet' : `view ${status.view.term}.${status.view.number}`;
  const copies = status.copies === 1 ? 'nothing is copied' : `${status.copies} copies of each session`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Limpet</title>
<style>${style}</style></head><body><main>
<h1>Limpet</h1>
<p>${escapeHtml(status.appFile)} at <a href="${escapeHtml(status.url)}">${escapeHtml(status.url)}</a></p>
<p>${view} · ${copies} · ${status.settled ? 'every copy in its place' : 'copies are being made'} · ${status.unprotected} sessions with fewer copies than asked${renderMove(status.moving)}</p>
<h2>Nodes</h2>
<div class="scroll"><table><tr><th>node<th>health<th>mode<th>sessions<th>copies held<th>in flight<th>starts<th>pid<th class="text">note</tr>
${status.nodes.map(renderNode).join('\n')}
</table></div>
<h2>Balancers</h2>
<div class="scroll"><table><tr><th>balancer<th>health<th>starts<th>pid</tr>
${status.balancers.map((b) => `<tr><td>${b.id}<td class="${b.health}">${b.health}<td>${b.incarnation}<td>${b.pid ?? '–'}</tr>`).join('\n')}
</table></div>
<h2>Deaths</h2>
<div class="scroll"><ol>${[...status.lastDeaths].reverse().map(renderDeath).join('') || '<li>none</li>'}</ol></div>
</main><script>${script}</script></body></html>
`;
}

const renderNode = (node: NodeStatus): string =>
  `<tr><td>${node.id}<td class="${node.health}">${node.health}<td>${modeOf(node)}<td>${node.sessions.primary}<td>${node.sessions.buddy}` +
  `<td>${node.inFlight}<td>${node.starts}<td>${node.pid ?? '–'}` +
  `<td class="text">${escapeHtml([node.reason, ...node.ports].filter((note) => note !== null).join(' · '))}</tr>`;

const modeOf = ({ mode, leaving, paused }: NodeStatus): string =>
  [mode, leaving ? 'leaving' : '', paused ? 'paused' : ''].filter((word) => word !== '').join(', ');

function renderMove(moving: Status['moving']): string {
  if (moving === null) return '';
  const { node, kind, left, total, etaMs } = moving;
  const rest = etaMs === null ? '' : `, about ${Math.ceil(etaMs / 1_000)} s`;
  return ` · ${node} ${kind === 'drain' ? 'leaves' : 'joins'}: ${left} of ${total} to go${rest}`;
}

function renderDeath(death: DeathReport): string {
  const took = Object.entries(death.took).map(([node, count]) => `${node} ${count}`);
  const parts = [
    `${new Date(death.at).toISOString().slice(11, 19)} ${death.node} died (${death.how})`,
    death.sessions === null ? null : `${death.sessions} sessions${took.length > 0 ? `: ${took.join(', ')}` : ''}`,
    after('served again', death.servedAfterMs),
    after('copies complete', death.copiesAfterMs),
    after('back', death.backAfterMs),
    death.error,
  ];
  return `<li>${escapeHtml(parts.filter((part) => part !== null).join(' · '))}</li>`;
}

const after = (what: string, ms: number | null): string | null =>
  ms === null ? null : `${what} after ${Math.round(ms)} ms`;

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character] ?? '');
