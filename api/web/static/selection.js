// Selecting in a list, better with a script: ranges with Shift, everything at once, the count said and shown on each action.
// Without it the boxes and the buttons are there, and the next screen says what would be done.

for (const form of document.querySelectorAll("[data-selection]")) {
  const boxes = [...form.querySelectorAll("input[name=choix]")];
  const bar = form.querySelector("[data-batch]");
  if (boxes.length > 0 && bar) select(form, boxes, bar);
}

function select(form, boxes, bar) {
  const told = bar.querySelector("[data-count]");
  const buttons = [...bar.querySelectorAll("[data-words]")].map((button) => ({ button, plain: button.textContent }));
  const all = form.querySelector("[data-all]");
  const every = all?.querySelector("input");
  let last = null;

  function draw() {
    const chosen = boxes.filter((box) => box.checked);
    const { none, one, many } = form.dataset;
    told.textContent = chosen.length === 0 ? none : chosen.length === 1 ? one : many.replace("%n", chosen.length);
    bar.hidden = chosen.length === 0;
    let first = true;
    for (const { button, plain } of buttons) {
      const kind = button.dataset.of;
      const count = chosen.filter((box) => !kind || box.dataset.kind === kind).length;
      button.hidden = count === 0;
      button.textContent = count > 1 ? button.dataset.words.replace("%n", count) : plain;
      button.classList.toggle("primary", count > 0 && first && !button.classList.contains("danger"));
      first &&= count === 0;
    }
    if (every) {
      every.checked = chosen.length === boxes.length;
      every.indeterminate = chosen.length > 0 && chosen.length < boxes.length;
    }
  }

  function range(box) {
    if (last && last !== box) {
      const [from, to] = [boxes.indexOf(last), boxes.indexOf(box)].sort((a, b) => a - b);
      for (const between of boxes.slice(from, to + 1)) between.checked = box.checked;
    }
  }

  let shifted = false;
  for (const type of ["click", "keydown", "keyup"]) {
    form.addEventListener(type, (event) => (shifted = event.shiftKey), true);
  }
  for (const box of boxes) {
    box.addEventListener("change", () => {
      if (shifted) range(box);
      last = box;
      draw();
    });
  }
  if (all) {
    all.hidden = false;
    every.addEventListener("change", () => {
      for (const box of boxes) box.checked = every.checked;
      draw();
    });
  }
  addEventListener("pageshow", draw); // a browser that goes back keeps the boxes
  draw();
}
