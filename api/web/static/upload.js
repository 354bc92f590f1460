// Sends files in pieces as soon as they are chosen or dropped: what was cut goes on where it stood, after a lost connection or a
// reload. Each field `[data-upload]` works by itself; without this script it is a plain field of a plain form.

const WAITS = [1, 2, 5, 10, 30]; // seconds before it is tried again
const lang = document.documentElement.lang;

class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
const base64 = (bytes) => btoa(String.fromCharCode(...bytes));
const digest = async (buffer) => new Uint8Array(await crypto.subtle.digest('SHA-256', buffer));

class Field {
  constructor(root) {
    this.root = root;
    this.words = JSON.parse(root.dataset.words);
    this.input = root.querySelector('input[type="file"]');
    this.required = this.input.required;
    this.list = root.querySelector('[data-files]');
    this.said = root.querySelector('[data-said]');
    this.row = root.querySelector('[data-row]');
    this.items = [];
    this.handsOver = root.closest('[data-hands-over]') !== null; // the page takes what has arrived, and shows it itself
    this.handed = 0;
    this.running = false;
    this.awaited = false;
    for (const hint of root.querySelectorAll('[data-with-script]')) hint.hidden = false;
    this.input.addEventListener('change', () => this.add(this.input.files));
    this.input.form.addEventListener('submit', (event) => this.submit(event));
    root.addEventListener('dragover', (event) => { event.preventDefault(); root.classList.add('over'); });
    root.addEventListener('dragleave', () => root.classList.remove('over'));
    root.addEventListener('drop', (event) => {
      event.preventDefault();
      root.classList.remove('over');
      this.add(event.dataTransfer.files);
    });
    addEventListener('online', () => this.wake?.());
    this.found = this.find();
  }

  // What the server has of this place already: finished, or cut off when the page was left.
  async find() {
    try {
      const found = await this.ask('GET', `?place=${encodeURIComponent(this.root.dataset.place)}`);
      const known = found.uploads.filter((standing) => !(this.handsOver && standing.sha256));
      const cut = known.filter((standing) => !this.goesOn(standing));
      for (const standing of cut) this.put({ name: standing.name, size: standing.size, standing, file: null, state: standing.sha256 ? 'done' : 'missing' });
      if (cut.length) this.tell('said_found', { count: cut.length });
    } catch {
      // Nothing is known yet; sending will say what is wrong, if anything still is.
    }
  }

  // Whether one of the files that were chosen meanwhile is what was cut off.
  goesOn(standing) {
    const { name, size } = standing;
    const same = (item) => item.state === 'waiting' && !item.standing && item.name === name && item.size === size;
    const chosen = standing.sha256 ? null : this.items.find(same);
    if (chosen) chosen.standing = standing;
    return Boolean(chosen);
  }

  add(files) {
    const chosen = this.input.multiple ? [...files] : [...files].slice(0, 1);
    if (!chosen.length) return;
    const waiting = this.items.reduce((sum, item) => sum + (item.state === 'missing' ? 0 : item.size), 0);
    const asked = new CustomEvent('upload:chosen', { bubbles: true, cancelable: true, detail: { files: chosen, waiting } });
    if (!this.root.dispatchEvent(asked)) {
      this.input.value = '';
      return;
    }
    for (const file of chosen) {
      const cut = this.items.find((item) => item.state === 'missing' && item.name === file.name && item.size === file.size);
      if (cut) Object.assign(cut, { file, state: 'waiting' });
      else this.put({ name: file.name, size: file.size, file, standing: null, state: 'waiting' });
    }
    this.input.value = ''; // they do not go with the form
    this.tell('said_begun', { count: chosen.length });
    this.run();
  }

  put(item) {
    const line = this.row.content.cloneNode(true).firstElementChild;
    item.line = line;
    line.querySelector('[data-name]').textContent = item.name;
    line.querySelector('progress').setAttribute('aria-label', item.name);
    line.querySelector('[data-pause]').addEventListener('click', () => this.pause(item));
    line.querySelector('[data-cancel]').addEventListener('click', () => this.cancel(item));
    this.items.push(item);
    this.list.append(line);
    this.show(item);
  }

  async run() {
    for (const item of this.items) this.show(item);
    if (this.running) return;
    this.running = true;
    await this.found; // or what is sent from here would be found, and held to be cut off
    for (let item; (item = this.items.find((one) => one.state === 'waiting')); ) {
      item.state = 'sending';
      await this.send(item);
      this.show(item);
    }
    this.running = false;
    if (!this.awaited) return;
    if (this.items.every((item) => item.state === 'done')) this.go();
    else if (this.items.some((item) => item.state === 'missing')) this.tell('said_unfinished');
  }

  async send(item) {
    for (let tries = 0; item.state === 'sending'; tries += 1) {
      item.abort = new AbortController();
      try {
        if (tries && item.standing) item.standing = await this.ask('GET', `/${item.standing.id}`, { signal: item.abort.signal });
        item.standing ??= await this.begin(item);
        for (; item.standing.received < item.size; tries = 0) {
          this.show(item);
          item.standing = await this.piece(item);
        }
        this.show(item, 'checking');
        const sha256 = hex(await digest(await item.file.arrayBuffer()));
        item.standing = await this.ask('POST', `/${item.standing.id}/finish`, { json: { sha256 }, signal: item.abort.signal });
        item.state = 'done';
        this.arrived(item);
      } catch (error) {
        await this.trouble(item, error, tries);
      }
    }
  }

  begin(item) {
    const { organisation, place } = this.root.dataset;
    return this.ask('POST', '', { json: { name: item.name, size: item.size, organisation, place }, signal: item.abort.signal });
  }

  async piece(item) {
    const { id, received, piece } = item.standing;
    const octets = await item.file.slice(received, received + piece).arrayBuffer();
    const headers = { 'Content-Type': 'application/octet-stream', 'Content-Digest': `sha-256=:${base64(await digest(octets))}:` };
    return this.ask('PUT', `/pieces?upload=${id}&offset=${received}`, { body: octets, headers, signal: item.abort.signal });
  }

  async trouble(item, error, tries) {
    if (item.state !== 'sending') return; // paused or cancelled
    const later = error instanceof Refused ? [408, 503].includes(error.status) || (error.status === 409 && item.standing) : error instanceof TypeError;
    if (!later || (error.status === 409 && tries > WAITS.length)) {
      item.state = 'failed';
      item.reason = error instanceof Refused ? error.message : this.words.unreadable;
      this.tell('said_failed', { name: item.name });
      return;
    }
    if (!tries) this.tell('said_cut');
    this.show(item, 'cut');
    await new Promise((resolve) => {
      this.wake = resolve;
      setTimeout(resolve, 1000 * WAITS[Math.min(tries, WAITS.length - 1)]);
    });
  }

  async ask(method, path, { json, body, headers = {}, signal } = {}) {
    const token = this.input.form.elements.csrf?.value ?? this.root.dataset.csrf;
    const answer = await fetch(`/v1/uploads${path}`, {
      method,
      signal,
      body: json ? JSON.stringify(json) : body,
      headers: { 'X-CSRF-Token': token, 'Accept-Language': lang, ...(json && { 'Content-Type': 'application/json' }), ...headers },
    });
    if (answer.status === 204) return null;
    const said = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Refused(answer.status, said.detail ?? `${answer.status}`);
    return said;
  }

  pause(item) {
    if (item.state === 'sending' || item.state === 'waiting') {
      item.state = 'paused';
      item.abort?.abort();
      this.wake?.();
      this.show(item);
    } else {
      item.state = 'waiting';
      this.run();
    }
  }

  async cancel(item) {
    item.state = 'cancelled';
    item.abort?.abort();
    this.items = this.items.filter((one) => one !== item);
    item.line.remove();
    this.input.focus();
    this.tell('said_cancelled', { name: item.name });
    this.oblige();
    if (item.standing) await this.ask('DELETE', `/${item.standing.id}`).catch(() => {}); // swept within a day otherwise
  }

  arrived(item) {
    const done = this.handed + this.items.filter((one) => one.state === 'done').length;
    const count = this.handed + this.items.length;
    this.tell(done === count ? 'said_all' : 'said_one', { name: item.name, done, count });
    if (!this.handsOver) return;
    this.items = this.items.filter((one) => one !== item);
    this.handed = this.items.length ? this.handed + 1 : 0;
    if (item.line.contains(document.activeElement)) this.input.focus();
    item.line.remove();
    this.oblige();
    this.root.dispatchEvent(new CustomEvent('upload:arrived', { bubbles: true }));
  }

  submit(event) {
    if (!this.items.length) return;
    event.preventDefault();
    if (this.items.some((item) => ['missing', 'failed', 'paused'].includes(item.state))) return this.tell('said_unfinished');
    if (this.items.every((item) => item.state === 'done')) return this.go();
    this.awaited = true;
    this.tell('said_wait');
  }

  go() {
    const own = this.input.form;
    const form = document.getElementById(this.root.dataset.instead) ?? own;
    // What was chosen beside the field goes with the form that is sent instead.
    for (const { name, value } of form === own ? [] : own.querySelectorAll('select')) form.elements[name].value = value;
    form.elements.uploads.value = this.items.map((item) => item.standing.id).join(',');
    const button = form.querySelector('[data-add]');
    if (button) form.requestSubmit(button);
    else form.submit();
  }

  show(item, state = item.state) {
    const percent = item.size ? Math.floor((100 * (item.standing?.received ?? 0)) / item.size) : 0;
    const places = { done: this.size(item.standing?.received ?? 0), size: this.size(item.size), percent, name: item.name };
    const key = { sending: 'progress', done: 'arrived' }[state] ?? state;
    const stopped = item.state === 'paused' || item.state === 'failed';
    const pause = item.line.querySelector('[data-pause]');
    const cancel = item.line.querySelector('[data-cancel]');
    item.line.dataset.state = state;
    item.line.querySelector('progress').value = percent;
    item.line.querySelector('[data-says]').textContent = state === 'failed' ? item.reason : this.text(key, places);
    pause.hidden = !item.file || item.state === 'done';
    pause.textContent = this.words[stopped ? 'resume' : 'pause'];
    pause.setAttribute('aria-label', this.text(stopped ? 'resume_name' : 'pause_name', places));
    cancel.textContent = this.words.cancel;
    cancel.setAttribute('aria-label', this.text('cancel_name', places));
    this.oblige();
  }

  oblige() {
    this.input.required = this.required && !this.items.length;
  }

  tell(key, places = {}) {
    this.said.textContent = this.text(key, places);
  }

  text(key, places) {
    return this.words[key].replace(/\{(\w+)\}/g, (_, name) => places[name] ?? '');
  }

  size(bytes) {
    let unit = 0;
    for (; bytes >= 1024 && unit < this.words.units.length - 1; unit += 1) bytes /= 1024;
    const digits = unit ? { maximumFractionDigits: 1 } : { maximumFractionDigits: 0 };
    return `${new Intl.NumberFormat(lang, digits).format(bytes)}\u00a0${this.words.units[unit]}`;
  }
}

// Digests need a secure context; anywhere else the plain form does the work.
if (globalThis.crypto?.subtle) for (const root of document.querySelectorAll('[data-upload]')) new Field(root);
