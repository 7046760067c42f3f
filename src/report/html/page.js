"use strict";
// Lines are hidden and dimmed by two style sheets, so that one rule reaches every plot, however many arms there are.
const sheet = (id) => document.getElementById(id);
const buttons = [...document.querySelectorAll("button[data-arm]")];
const hidden = new Set(buttons.filter((b) => b.getAttribute("aria-pressed") === "false").map((b) => b.dataset.arm));

function show() {
  const rules = [...hidden].map((arm) => `.plot .arm${arm}`).join(",");
  sheet("hidden-lines").textContent = rules && `${rules}{display:none}`;
  for (const button of buttons) button.setAttribute("aria-pressed", String(!hidden.has(button.dataset.arm)));
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.arm) {
    if (!hidden.delete(button.dataset.arm)) hidden.add(button.dataset.arm);
    show();
  } else if (button?.dataset.all) {
    hidden.clear();
    if (button.dataset.all === "false") buttons.forEach((b) => hidden.add(b.dataset.arm));
    show();
  }
});

// Whoever points at an arm, or reaches it by keyboard, sees its lines alone.
function dim(event) {
  const arm = event.target.closest?.("[data-arm]")?.dataset.arm;
  const only = arm !== undefined && !hidden.has(arm);
  sheet("dimmed-lines").textContent = only ? `.plot [class*="arm"]:not(.arm${arm}){opacity:.12}` : "";
}
document.addEventListener("pointerover", dim);
document.addEventListener("focusin", (event) => { if (event.target.matches(":focus-visible")) dim(event); });
document.addEventListener("focusout", () => { sheet("dimmed-lines").textContent = ""; });

for (const block of document.querySelectorAll("pre.command")) {
  if (!navigator.clipboard) break;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(block.querySelector("code").textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  block.after(button);
}

// On paper everything is open.
window.addEventListener("beforeprint", () => { for (const part of document.querySelectorAll("details")) part.open = true; });
