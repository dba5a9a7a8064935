// Boxes that switch curves on and off. Without this script all curves are there, and no boxes.
for (const box of document.querySelectorAll("input[data-series]")) {
  const figure = document.getElementById(box.dataset.figure);
  const curve = figure.querySelector(`g[data-series="${box.dataset.series}"]`);
  const show = () => { curve.style.display = box.checked ? "" : "none"; };
  box.hidden = false;
  box.addEventListener("change", show);
  // A browser that goes back to the page may have kept what was switched off.
  show();
}
