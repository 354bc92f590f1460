// The page of a folder, better with a script: single keys while the focus is in the document (WCAG 2.1.4), the characters that a
// note has left. Without it every action is a link or a button all the same.

const help = document.querySelector("#aide");

for (const place of document.querySelectorAll("[data-viewer]")) {
  place.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea, [contenteditable]");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "?" && help) {
      event.preventDefault();
      help.showModal(); // the browser gives the focus back to the document when it closes
      return;
    }
    const target = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (!target) return;
    event.preventDefault();
    // Acts with consequences are not done by a key alone: it goes to the button, Enter presses it.
    if (target.dataset.key === "s") target.focus();
    else target.click();
  });
}

for (const area of document.querySelectorAll("[data-counted]")) {
  const left = document.querySelector(`[data-left="${area.id}"]`);
  const shown = new Intl.NumberFormat(document.documentElement.lang);
  const draw = () => (left.textContent = ` ${shown.format(area.value.length)} / ${shown.format(area.maxLength)}`);
  left.hidden = false;
  area.addEventListener("input", draw);
  draw();
}
