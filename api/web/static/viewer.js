// What the viewer does better with a script: which page is in view, which were read, zoom in place, the stamp under the hand.
// Without it every page, number field and preset is there all the same.

const READ_AFTER = 1000; // milliseconds in view
const SENT_EVERY = 3000;
const LARGE_STEP = 10; // points, with Shift

for (const viewer of document.querySelectorAll("[data-viewer]")) {
  const pages = [...viewer.querySelectorAll("[data-page]")];
  if (pages.length === 0) continue;
  watch(viewer, pages);
  zoomInPlace(viewer);
  const form = viewer.querySelector("[data-placing]");
  if (form) placeStamp(form, pages);
}

function watch(viewer, pages) {
  const counter = viewer.querySelector("[data-count]");
  const read = viewer.dataset.reading ? recorder(viewer.dataset.reading, viewer.dataset.csrf) : () => {};
  const shares = new Map();
  const timers = new Map();
  let current = 0;

  const observer = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const number = Number(entry.target.dataset.page);
      // Half of the page, or half of the window when the page is larger than that.
      const height = Math.min(entry.boundingClientRect.height, entry.rootBounds?.height ?? window.innerHeight);
      const share = height ? entry.intersectionRect.height / height : 0;
      shares.set(number, share);
      if (share < 0.5) {
        clearTimeout(timers.get(number));
        timers.delete(number);
      } else if (!timers.has(number)) {
        timers.set(number, setTimeout(() => seen(entry.target, number), READ_AFTER));
      }
    }
    const [best, share] = [...shares].reduce((most, one) => (one[1] > most[1] ? one : most), [0, 0]);
    if (share > 0 && best !== current) {
      current = best;
      counter.textContent = viewer.dataset.counter.replace("%k", new Intl.NumberFormat(document.documentElement.lang).format(best));
    }
  }, { threshold: [0, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 1] });

  function seen(page, number) {
    const image = page.querySelector("img");
    if (document.hidden || !image.complete) {
      timers.set(number, setTimeout(() => seen(page, number), READ_AFTER));
    } else if (image.naturalWidth > 0) {
      read(number);
    }
  }
  pages.forEach((page) => observer.observe(page));
}

function recorder(action, csrf) {
  const told = new Set();
  let waiting = new Set();
  let timer = 0;

  function send() {
    clearTimeout(timer);
    timer = 0;
    if (waiting.size === 0) return;
    const sent = waiting;
    waiting = new Set();
    fetch(action, { method: "POST", keepalive: true, redirect: "manual", body: new URLSearchParams({ csrf, pages: ranges([...sent]) }) })
      .then((answer) => answer.status < 500 || Promise.reject(answer.status))
      .catch(() => sent.forEach((number) => waiting.add(number))); // told again with the next
  }
  addEventListener("pagehide", send);
  document.addEventListener("visibilitychange", () => document.hidden && send());
  return (number) => {
    if (told.has(number)) return;
    told.add(number);
    waiting.add(number);
    timer ||= setTimeout(send, SENT_EVERY);
  };
}

function ranges(numbers) {
  const found = [];
  for (const number of numbers.sort((a, b) => a - b)) {
    const last = found.at(-1);
    if (last && last[1] === number - 1) last[1] = number;
    else found.push([number, number]);
  }
  return found.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(",");
}

function zoomInPlace(viewer) {
  const region = viewer.querySelector("[data-zoomed]");
  const links = [...viewer.querySelectorAll("[data-zoom]")];
  for (const link of links) {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      const anchor = [...region.querySelectorAll("[data-page]")].find((page) => page.getBoundingClientRect().bottom > 80);
      region.dataset.zoomed = link.dataset.zoom;
      for (const image of region.querySelectorAll("img")) {
        image.sizes = `(max-width: 900px) ${link.dataset.zoom}vw, ${link.dataset.zoom * 8}px`;
      }
      links.forEach((one) => one.removeAttribute("aria-current"));
      link.setAttribute("aria-current", "true");
      history.replaceState(history.state, "", link.href);
      anchor?.scrollIntoView({ block: "start" });
    });
  }
}

// The stamp, in points of the page as it is stored (the form) and as it is seen (the handle): see api/web/viewer/placing.py.
function placeStamp(form, pages) {
  const field = (name) => form.elements.namedItem(name);
  const told = form.querySelector("[data-told]");
  const handle = document.createElement("button");
  handle.type = "button";
  handle.className = "viewer-handle";
  let box = null;

  function turned() {
    const [left, bottom, right, top, rotation] = box;
    const across = rotation === 90 || rotation === 270;
    return { left, bottom, right, top, rotation, wide: across ? top - bottom : right - left, high: across ? right - left : top - bottom };
  }

  function seenRectangle() {
    const { left, bottom, right, top, rotation } = turned();
    const [x, y, width, height] = ["x", "y", "width", "height"].map((name) => Number(field(name).value));
    const corner = {
      0: [x - left, top - y - height],
      90: [y - bottom, x - left],
      180: [right - x - width, y - bottom],
      270: [top - y - width, right - x - height],
    }[rotation];
    return { x: corner[0], y: corner[1], width, height };
  }

  function keep(seen) {
    const { left, bottom, right, top, rotation, wide, high } = turned();
    const x = Math.min(Math.max(seen.x, 0), Math.max(0, wide - seen.width));
    const y = Math.min(Math.max(seen.y, 0), Math.max(0, high - seen.height));
    const [storedX, storedY] = {
      0: [left + x, top - y - seen.height],
      90: [left + y, bottom + x],
      180: [right - x - seen.width, bottom + y],
      270: [right - y - seen.height, top - x - seen.width],
    }[rotation];
    field("x").value = Math.round(storedX * 10) / 10;
    field("y").value = Math.round(storedY * 10) / 10;
    draw();
  }

  function draw() {
    const page = pages.find((one) => one.dataset.page === field("page").value.trim());
    if (!page) {
      handle.remove();
      return;
    }
    box = page.dataset.box.split(" ").map(Number);
    const { wide, high } = turned();
    const seen = seenRectangle();
    const sheet = page.querySelector(".viewer-sheet");
    if (handle.parentElement !== sheet) sheet.append(handle);
    handle.style.left = `${(seen.x / wide) * 100}%`;
    handle.style.top = `${(seen.y / high) * 100}%`;
    handle.style.width = `${(seen.width / wide) * 100}%`;
    handle.style.height = `${(seen.height / high) * 100}%`;
    handle.setAttribute("aria-label", form.dataset.handle.replace("%k", field("page").value));
  }

  function say() {
    told.textContent = form.dataset.moved.replace("%x", field("x").value).replace("%y", field("y").value);
  }

  handle.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? LARGE_STEP : 1;
    const [x, y] = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key] ?? [0, 0];
    if (x === 0 && y === 0) return;
    event.preventDefault();
    const seen = seenRectangle();
    keep({ ...seen, x: seen.x + x, y: seen.y + y });
  });
  handle.addEventListener("keyup", (event) => event.key.startsWith("Arrow") && say());

  let held = null;
  handle.addEventListener("pointerdown", (event) => {
    handle.setPointerCapture(event.pointerId);
    held = { x: event.clientX, y: event.clientY, seen: seenRectangle() };
  });
  handle.addEventListener("pointermove", (event) => {
    if (!held) return;
    const points = turned().wide / handle.parentElement.clientWidth;
    keep({ ...held.seen, x: held.seen.x + (event.clientX - held.x) * points, y: held.seen.y + (event.clientY - held.y) * points });
  });
  for (const end of ["pointerup", "pointercancel"]) {
    handle.addEventListener(end, () => {
      if (held) say();
      held = null;
    });
  }
  form.addEventListener("input", draw);
  for (const drawing of document.querySelectorAll(".viewer-stamp")) drawing.remove(); // the handle takes its place
  draw();
}
