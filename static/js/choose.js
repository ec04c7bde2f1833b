// Shows only the fields that belong to the chosen radio button. Without scripts all of them stand there.
function update(form) {
  const shown = form.querySelector("input[data-shows]:checked")?.dataset.shows;
  for (const part of form.querySelectorAll("[data-shown]")) part.hidden = part.dataset.shown !== shown;
}
for (const form of document.querySelectorAll("form:has([data-shows])")) update(form);
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-shows]")) update(event.target.form);
});
