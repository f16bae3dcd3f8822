// Keeps an open page honest: asks every second and a half who would answer now, and says so when it changed.
const everyMs = 1500;
const banner = document.getElementById('banner');
const { live } = document.body.dataset;

function show(fact, text, strong, more = '') {
  const chip = document.querySelector(`[data-fact="${fact}"]`);
  if (!chip) return;
  chip.hidden = strong === null;
  if (strong === null) return;
  const bold = document.createElement('b');
  bold.textContent = strong;
  chip.replaceChildren(text, bold, more);
}

const sizeOf = (bytes) => (bytes < 1024 ? `, ${bytes} B` : `, ${(bytes / 1024).toFixed(1)} KB`);

// A screen reader speaks each change of the banner: the seconds alone are brought up to date now and then only.
const wordsOf = (text) => text.replace(/\d+ (s|min) ago/, '');
const secondsEveryMs = 15_000;
let saidAt = 0;

function say(text) {
  const shown = text ?? '';
  const isNews = wordsOf(shown) !== wordsOf(banner.textContent);
  if (isNews || shown === '' || performance.now() - saidAt > secondsEveryMs) {
    banner.textContent = shown;
    saidAt = performance.now();
  }
  banner.hidden = shown === '';
}

async function look() {
  const answer = await fetch('/api/me', { signal: AbortSignal.timeout(10_000) });
  if (answer.status === 401) {
    say('You are signed out. Reload the page to sign in again.');
    return false;
  }
  if (!answer.ok) {
    say('The cluster gives no answer just now. Trying again.');
    return true;
  }
  const me = await answer.json();
  show('node', 'answered by ', me.node ?? 'this process');
  show('copy', 'copy on ', me.buddy);
  show(
    'session',
    'session version ',
    me.version === null ? null : String(me.version),
    me.bytes === null ? '' : sizeOf(me.bytes),
  );
  say(me.moved);
  return true;
}

async function watch() {
  const again = await look().catch(() => {
    say('The cluster cannot be reached. Trying again.');
    return true;
  });
  if (again) setTimeout(watch, everyMs);
}

if (banner && live !== undefined) setTimeout(watch, everyMs);
