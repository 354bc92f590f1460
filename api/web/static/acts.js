// The form of an act while it is filled in: the object is counted, the number looked at, matières searched, files put in order as they
// come, earlier acts chosen. Without this script every button sends the whole form, and a plain list of matières does the work.

const plain = (text) => text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
const fill = (text, places) => text.replace(/\{(\w+)\}/g, (_, name) => places[name] ?? '');
const form = document.getElementById('act');

// What is sent of the form: never the file that is being chosen.
function told(extra = {}) {
  const body = new FormData(form);
  body.delete('document');
  for (const [name, value] of Object.entries(extra)) body.set(name, value);
  return body;
}

async function part(address, extra) {
  const answer = await fetch(address, { method: 'POST', body: told(extra), headers: { 'Accept-Language': document.documentElement.lang } });
  if (!answer.ok) throw new Error(answer.statusText);
  return answer.text();
}

class Pieces {
  constructor(root) {
    this.root = root;
    this.said = document.getElementById('pieces-said');
    this.queue = Promise.resolve();
    root.addEventListener('click', (event) => {
      const button = event.target.closest('button[name="do"]');
      if (!button) return;
      event.preventDefault();
      this.show(button.value);
    });
    form.addEventListener('upload:arrived', () => this.show('look'));
    document.getElementById('nature')?.addEventListener('change', () => this.show('look'));
  }

  // One after the other: each answer is what the next one is asked from.
  show(deed) {
    this.queue = this.queue.then(() => this.ask(deed)).catch(() => {});
  }

  async ask(deed) {
    const focused = document.activeElement;
    const inside = this.root.contains(focused);
    const { id } = focused;
    const asked = this.written();
    const answer = await part(this.root.dataset.at, { do: deed });
    const since = this.written();
    this.root.innerHTML = answer;
    // What was written while the answer was on its way is newer than the answer.
    for (const [name, value] of since) if (value !== asked.get(name)) for (const field of this.fields(name)) field.value = value;
    const total = this.root.querySelector('[data-total]');
    const moved = this.root.querySelector('[data-moved]');
    const name = moved ? `${moved.querySelector('.piece-called').textContent} : ${moved.querySelector('.file-name').textContent.trim()}. ` : '';
    this.said.textContent = name + total.textContent;
    if (moved) moved.focus();
    else if (inside) (document.getElementById(id) ?? form.querySelector('input[type="file"]')).focus();
  }

  fields(name) {
    return [...this.root.querySelectorAll('input:not([type="hidden"]), textarea, select')].filter((field) => !name || field.name === name);
  }

  written() {
    return new Map(this.fields().map((field) => [field.name, field.value]));
  }

  get total() {
    return Number(this.root.querySelector('[data-total]').dataset.total);
  }
}

// Sizes are summed before anything is sent.
function weigh(pieces) {
  const warning = form.querySelector('[data-too-large]');
  if (!warning) return;
  form.addEventListener('upload:chosen', (event) => {
    const { files, waiting } = event.detail;
    const sum = pieces.total + waiting + [...files].reduce((total, file) => total + file.size, 0);
    warning.hidden = sum <= Number(warning.dataset.most);
    warning.textContent = warning.hidden ? '' : warning.dataset.words;
    if (!warning.hidden) event.preventDefault();
  });
}

function count(area) {
  const line = document.getElementById(`${area.id}-hint`); // the count takes the place of the rule
  const said = document.querySelector('[data-count-said]');
  const most = Number(area.dataset.count);
  line.dataset.counter = '';
  const show = () => {
    const length = [...area.value.trim().replace(/\s+/g, ' ')].length;
    line.textContent = fill(area.dataset.words, { count: length });
    line.classList.toggle('over', length > most);
    // Said aloud only near the end: a count at every key would drown what is typed.
    if (length > most - 20) said.textContent = fill(area.dataset.wordsLeft, { left: most - length });
  };
  area.addEventListener('input', show);
  show();
}

function look(number) {
  const said = document.getElementById('number-said');
  let waiting;
  let asked = 0;
  const ask = async () => {
    asked += 1;
    const turn = asked;
    if (!number.value.trim()) {
      said.textContent = '';
      return;
    }
    const text = await part('/actes/nouveau/numero').catch(() => '');
    if (turn === asked) said.innerHTML = text;
  };
  const soon = () => {
    clearTimeout(waiting);
    waiting = setTimeout(ask, 400);
  };
  number.addEventListener('input', soon);
  for (const id of ['decision_date', 'nature']) document.getElementById(id).addEventListener('change', soon);
}

// An earlier act that is chosen among those found is written into the field, and looked at like any other.
function precede(field) {
  document.getElementById('previous-said').addEventListener('click', (event) => {
    const button = event.target.closest('[data-previous]');
    if (!button) return;
    event.preventDefault();
    field.value = button.dataset.previous;
    field.focus();
    field.dispatchEvent(new Event('previous:chosen'));
  });
}

// A list with one option chosen becomes a field that searches it (ARIA 1.2: combobox with a listbox).
class Combobox {
  constructor(field, select) {
    this.words = JSON.parse(field.dataset.words);
    this.select = select;
    this.options = [...select.options].filter((one) => one.value).map((one) => {
      const theme = one.parentElement.label ?? '';
      const text = one.textContent.trim();
      const told = `${text} (${theme.replace(/^\d+ – /, '')})`;
      return { code: one.value, text, told, theme, plain: plain(`${theme} ${text}`) };
    });
    this.found = [];
    this.at = -1;
    this.build(field);
    this.choose(this.options.find((one) => one.code === select.value), false);
    const said = field.querySelector('[data-said]');
    if (said) this.input.value = said.value;
  }

  build(field) {
    const box = document.createElement('div');
    const { select } = this;
    box.className = 'combobox';
    this.input = document.createElement('input');
    this.list = document.createElement('ul');
    this.said = document.createElement('p');
    for (const [name, value] of Object.entries({
      id: select.id, name: 'matiere_said', role: 'combobox', autocomplete: 'off', 'aria-autocomplete': 'list', 'aria-expanded': 'false', 'aria-controls': 'matiere-list',
    })) this.input.setAttribute(name, value);
    for (const name of ['aria-invalid', 'aria-describedby']) if (select.hasAttribute(name)) this.input.setAttribute(name, select.getAttribute(name));
    this.input.placeholder = this.words.hint;
    this.list.id = 'matiere-list';
    this.list.className = 'combobox-list';
    this.list.setAttribute('role', 'listbox');
    this.list.setAttribute('aria-labelledby', 'matiere-label');
    this.list.hidden = true;
    this.said.className = 'unseen';
    this.said.setAttribute('role', 'status');
    select.removeAttribute('id');
    select.hidden = true;
    select.required = false;
    box.append(this.input, this.list, this.said);
    field.querySelector('label').after(box);
    this.input.addEventListener('input', () => this.search());
    this.input.addEventListener('click', () => this.search());
    this.input.addEventListener('keydown', (event) => this.key(event));
    this.input.addEventListener('blur', () => this.leave());
    this.list.addEventListener('mousedown', (event) => {
      event.preventDefault(); // the field keeps the focus
      const line = event.target.closest('[role="option"]');
      if (line) this.choose(this.found[Number(line.dataset.rank)]);
    });
  }

  search() {
    const words = plain(this.input.value).split(/[\s›–-]+/).filter(Boolean);
    const code = words[0] ?? '';
    const all = this.chosen && this.input.value === this.chosen.told;
    this.found = this.options.filter((one) => all || one.code === code || one.code.startsWith(`${code}.`) || words.every((word) => one.plain.includes(word)));
    // A code that was written in full stands first.
    this.found.sort((one, other) => Number(other.code === code) - Number(one.code === code));
    const shown = this.found.slice(0, 60);
    this.list.replaceChildren(...shown.map((one, rank) => this.line(one, rank)));
    this.open(shown.length > 0);
    this.point(words.length && shown.length && !all ? 0 : -1);
    const key = { 0: 'none', 1: 'one' }[this.found.length] ?? (this.found.length > shown.length ? 'more' : 'found');
    this.said.textContent = fill(this.words[key], { count: this.found.length });
  }

  line(one, rank) {
    const line = document.createElement('li');
    const theme = document.createElement('span');
    line.id = `matiere-${rank}`;
    line.dataset.rank = rank;
    line.setAttribute('role', 'option');
    line.setAttribute('aria-selected', 'false');
    theme.className = 'theme';
    theme.textContent = one.theme;
    line.append(one.text, theme);
    return line;
  }

  open(opened) {
    this.list.hidden = !opened;
    this.input.setAttribute('aria-expanded', String(opened));
    if (!opened) this.point(-1);
  }

  point(rank) {
    this.list.children[this.at]?.setAttribute('aria-selected', 'false');
    this.at = rank;
    const line = this.list.children[rank];
    if (line) {
      line.setAttribute('aria-selected', 'true');
      line.scrollIntoView({ block: 'nearest' });
      this.input.setAttribute('aria-activedescendant', line.id);
    } else this.input.removeAttribute('aria-activedescendant');
  }

  key(event) {
    const opened = !this.list.hidden;
    const count = this.list.children.length;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      if (!opened) this.search();
      const step = event.key === 'ArrowDown' ? 1 : -1;
      if (this.list.children.length) this.point((this.at + step + this.list.children.length) % this.list.children.length);
    } else if (event.key === 'Enter') {
      event.preventDefault();
      if (opened && this.at >= 0) this.choose(this.found[this.at]);
    } else if (event.key === 'Escape' && opened) {
      event.stopPropagation();
      this.open(false);
    } else if (opened && count && (event.key === 'PageDown' || event.key === 'PageUp')) {
      event.preventDefault();
      this.point(Math.max(0, Math.min(count - 1, this.at + (event.key === 'PageDown' ? 6 : -6))));
    }
  }

  choose(one, writes = true) {
    this.chosen = one;
    this.select.value = one?.code ?? '';
    if (one) this.input.value = one.told;
    if (writes) {
      this.open(false);
      this.said.textContent = one?.text ?? '';
      if (one) this.input.removeAttribute('aria-invalid');
    }
  }

  // What was written and is none of the list stays as it was written; the server says what is wrong with it.
  leave() {
    this.open(false);
    const told = this.input.value.trim();
    if (this.chosen && told === this.chosen.told) return;
    const one = this.options.find((option) => [option.text, option.told, option.code].includes(told));
    this.choose(one, false);
  }
}

if (form) {
  const pieces = new Pieces(document.getElementById('pieces'));
  weigh(pieces);
  const area = form.querySelector('[data-count]');
  if (area) count(area);
  const number = document.getElementById('number');
  if (number) look(number);
  const previous = document.getElementById('previous');
  if (previous) precede(previous);
  const field = form.querySelector('[data-combobox]');
  const select = field?.querySelector('select');
  if (select) new Combobox(field, select);
  // A line break in a field of one line sends nothing: an act leaves by its button.
  form.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && event.target.matches('input:not([type="file"], [type="checkbox"], [type="radio"])')) event.preventDefault();
  });
}
