// The theme's script adds parts to a page after it has loaded, some of them without what readers with a keyboard or a
// screen reader need: a table that scrolls takes the focus, and the frame of a copy button is no landmark.
(() => {
  const settle = () => {
    document.querySelectorAll(".md-typeset__scrollwrap:not([tabindex])").forEach((each) => (each.tabIndex = 0));
    document.querySelectorAll("nav.md-code__nav:not([role])").forEach((each) => each.setAttribute("role", "presentation"));
  };
  settle();
  new MutationObserver(settle).observe(document.body, { childList: true, subtree: true });
})();
