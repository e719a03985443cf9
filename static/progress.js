// The line of progress above a live view: status, how far, how fast, how long yet, and a bar.

export const PROGRESS = `<div class="numbers"><span class="status"></span><span class="step"></span><span class="rate"></span><span class="left"></span></div>
  <div class="bar" role="progressbar" aria-label="Progress" aria-valuemin="0" aria-valuemax="100"><div></div></div>`;

// What does not change is not touched: each change of a text has the page laid out anew.
export function showProgress(root, { status, label, step, rate, left, share }) {
  const set = (selector, text) => { const e = root.querySelector(selector); if (e.textContent !== text) e.textContent = text; };
  set(".status", label);
  root.querySelector(".status").dataset.status = status;
  set(".step", step);
  set(".rate", rate);
  set(".left", left);
  const part = Math.max(0, Math.min(1, share || 0)), bar = root.querySelector(".bar");
  bar.firstElementChild.style.width = `${100 * part}%`;
  bar.setAttribute("aria-valuenow", Math.round(100 * part));
}
