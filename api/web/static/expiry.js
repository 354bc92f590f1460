// Warns two minutes before the session ends, and keeps it open on demand: what was typed stays where it is.

const EARLY = 120;
const LATE = 5;
const meta = document.querySelector('meta[name="session-left"]');
let dialog = null;
let timer = 0;
let opener = null;
let token = '';

async function ask(options) {
  try {
    const answer = await fetch('/compte/session', { headers: { Accept: 'application/json' }, redirect: 'manual', ...options });
    return answer.ok ? await answer.json() : { left: 0 };
  } catch {
    return null; // no network: try again soon
  }
}

function after(seconds, act) {
  clearTimeout(timer);
  timer = setTimeout(act, Math.max(1, seconds) * 1000);
}

async function look() {
  const state = await ask();
  if (state === null) return after(LATE, look);
  if (state.csrf && state.csrf !== token) renew(state.csrf);
  if (state.left > EARLY) {
    close();
    return after(state.left - EARLY, look);
  }
  await warn(state.left);
  if (state.left > 0) after(state.left + 1, look);
}

// Somebody who signed in again in another tab has another token: the forms of this page bear it from now on.
function renew(fresh) {
  token = fresh;
  for (const field of document.querySelectorAll('input[name="csrf"]')) field.value = token;
}

async function warn(left) {
  if (!dialog) {
    const answer = await fetch(`/compte/session/avis?langue=${document.documentElement.lang}`);
    if (!answer.ok) return;
    document.body.insertAdjacentHTML('beforeend', await answer.text());
    dialog = document.getElementById('session-warning');
    dialog.querySelector('[data-stay]').addEventListener('click', stay);
    dialog.addEventListener('close', () => opener?.focus());
  }
  say(left > 0 ? 'soon' : 'over');
  if (!dialog.open) {
    opener = document.activeElement;
    dialog.showModal();
  }
}

function say(which) {
  for (const part of dialog?.querySelectorAll('[data-when]') ?? []) part.hidden = part.dataset.when !== which;
}

function close() {
  if (dialog?.open) dialog.close();
}

async function stay() {
  const state = await ask({ method: 'POST', body: new URLSearchParams({ csrf: token }) });
  if (state === null) return;
  if (state.left > EARLY) close();
  else say(state.left > 0 ? 'last' : 'over');
  after(state.left > EARLY ? state.left - EARLY : state.left + 1, look);
}

after(Number(meta.content) - EARLY, look);
document.addEventListener('visibilitychange', () => { if (!document.hidden && dialog?.open) look(); });
