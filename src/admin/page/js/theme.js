// Which colours: as the system says, light, or dark. Runs before the page is drawn, lest it flash, and is
// therefore no module. Fails softly: where nothing may be stored, the choice lasts as long as the page.
(() => {
  const CHOICES = ["auto", "light", "dark"];
  const NAMES = { auto: "Auto", light: "Light", dark: "Dark" };
  const KEY = "tollgate-theme";

  function stored() {
    try {
      const choice = localStorage.getItem(KEY);
      return CHOICES.includes(choice) ? choice : "auto";
    } catch {
      return "auto";
    }
  }

  let choice = stored();

  function show() {
    const root = document.documentElement;
    root.dataset.theme = choice;
    const text = document.getElementById("theme-text");
    if (text) text.textContent = NAMES[choice];
    // The charts are drawn on canvases, which know nothing of style sheets.
    window.dispatchEvent(new Event("themechange"));
  }

  show();
  document.addEventListener("DOMContentLoaded", () => {
    show();
    document.getElementById("theme")?.addEventListener("click", () => {
      choice = CHOICES[(CHOICES.indexOf(choice) + 1) % CHOICES.length];
      try {
        localStorage.setItem(KEY, choice);
      } catch {
        // Not remembered, then.
      }
      show();
    });
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
})();
