// Gradio does not tell screen readers whether what folds away is open.
() => {
  const tell = header => header.setAttribute("aria-expanded", header.classList.contains("open"));
  const tellAll = () => document.querySelectorAll("button.label-wrap").forEach(tell);
  tellAll();
  new MutationObserver(tellAll).observe(document.body, { attributes: true, attributeFilter: ["class"], childList: true, subtree: true });
}
